package data

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// databaseMetrics are the metrics of each database, as of the last census.
type databaseMetrics struct{ node *Node }

// maxDatabases bounds the databases that have metrics of their own: those with
// the most series. The rest are otherDatabases.
const (
	maxDatabases   = 100
	otherDatabases = "_other"
)

func databaseDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("data_database_"+name, help, []string{"database"}, nil)
}

var (
	databaseSeries       = databaseDesc("series", "Series of a database in the shards that are open here, about.")
	databaseMeasurements = databaseDesc("measurements", "Measurements of a database in the shards that are open here.")
	databaseShards       = databaseDesc("shards", "Shards of a database that are open here.")
	databaseDiskBytes    = databaseDesc("disk_bytes", "Files and logs of the shards of a database that are open here.")
)

// Describe implements prometheus.Collector.
func (databaseMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- databaseSeries
	to <- databaseMeasurements
	to <- databaseShards
	to <- databaseDiskBytes
}

// Collect implements prometheus.Collector.
func (c databaseMetrics) Collect(to chan<- prometheus.Metric) {
	type figures struct {
		name                               string
		series, measurements, shards, disk float64
	}
	var all []figures
	for _, d := range c.node.Census().Databases {
		all = append(all, figures{d.Name, float64(d.Series.Count()), float64(d.Measurements), float64(d.Shards), float64(d.DiskBytes)})
	}
	if len(all) > maxDatabases {
		slices.SortFunc(all, func(a, b figures) int { return cmp.Compare(b.series, a.series) })
		other := figures{name: otherDatabases}
		for _, f := range all[maxDatabases:] {
			other.series += f.series
			other.measurements += f.measurements
			other.shards += f.shards
			other.disk += f.disk
		}
		all = append(all[:maxDatabases], other)
	}
	for _, f := range all {
		for desc, value := range map[*prometheus.Desc]float64{
			databaseSeries: f.series, databaseMeasurements: f.measurements, databaseShards: f.shards, databaseDiskBytes: f.disk,
		} {
			to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, f.name)
		}
	}
}
