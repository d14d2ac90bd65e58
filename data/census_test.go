package data

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestCensusCountsEachSeriesOnce(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	old, current := w.shard(t, now.AddDate(0, 0, -30)), w.shard(t, now)
	w.mustWrite(t, old, "a", now.AddDate(0, 0, -30))
	w.mustWrite(t, current, "a", now)
	w.mustWrite(t, current, "b", now)
	c := w.node.Census()
	if len(c.Databases) != 1 {
		t.Fatalf("census of %d databases", len(c.Databases))
	}
	d := c.Databases[0]
	if d.Name != "db" || d.Series.Count() != 2 || d.Shards != 2 || d.DiskBytes == 0 || d.Measurements < 1 {
		t.Errorf("census %+v of %d series", d, d.Series.Count())
	}
	if len(d.Largest) == 0 || d.Largest[0].Group != current.Group {
		t.Errorf("the largest are %+v", d.Largest)
	}
	tags, err := w.node.Tags(t.Context(), current.Group, d.Largest[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags {
		if tag.Values < 1 || tag.Values > 2 {
			t.Errorf("tag %+v", tag)
		}
	}
}

func TestEachShardHasMetrics(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	ref := w.shard(t, time.Now())
	w.mustWrite(t, ref, "a", time.Now())
	reg := prometheus.NewRegistry()
	reg.MustRegister(w.node.ShardMetrics())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() == "database" && l.GetValue() != "db" {
					t.Errorf("%s of database %q", name, l.GetValue())
				}
				if l.GetName() == "outcome" {
					name += " " + l.GetValue()
				}
			}
			seen[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{"data_shard_rows_total ok": 1, "data_shard_rows_total error": 0, "data_shard_batches_total ok": 1, "data_shard_series": 1} {
		if got, ok := seen[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	all, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if strings.HasPrefix(f.GetName(), "data_shard_") && f.GetName() != "data_shard_open_errors_total" {
			t.Errorf("%s is among the metrics of the node", f.GetName())
		}
	}
}
