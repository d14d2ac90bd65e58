package monitor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// The retention policy of the database, InfluxDB's.
const (
	storePolicy      = "monitor"
	storeDuration    = 7 * 24 * time.Hour
	storeReplication = 1
)

// Destination is where statistics are stored.
type Destination struct {
	Catalog interface {
		Database(ctx context.Context, name string) (*query.Database, error)
		CreateDatabase(ctx context.Context, name string, policy *query.PolicySpec) error
	}
	Writer query.Writer
	Host   string // the tag hostname of all that is stored
}

// Store writes the statistics to the database at every round multiple of the
// interval, until ctx ends. What cannot be written is not written later: the
// statistics are running totals, and the next ones say nearly as much.
func (m *Monitor) Store(ctx context.Context, cfg Config, to Destination) {
	failing := false
	for {
		now := time.Now()
		at := now.Truncate(cfg.StoreInterval).Add(cfg.StoreInterval)
		select {
		case <-ctx.Done():
			return
		case <-time.After(at.Sub(now)):
		}
		err := m.store(ctx, cfg, to, at)
		if err != nil && !failing && ctx.Err() == nil {
			m.parts.Log.Warn("statistics are not stored", "database", cfg.StoreDatabase, "error", err)
		}
		failing = err != nil
	}
}

// store writes the statistics of one moment.
func (m *Monitor) store(ctx context.Context, cfg Config, to Destination, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.StoreInterval)
	defer cancel()
	if _, err := to.Catalog.Database(ctx, cfg.StoreDatabase); errors.Is(err, model.ErrNotFound) {
		duration, replication := storeDuration, storeReplication
		policy := &query.PolicySpec{Name: storePolicy, Duration: &duration, Replication: &replication}
		if err := to.Catalog.CreateDatabase(ctx, cfg.StoreDatabase, policy); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	all, err := m.Statistics(ctx)
	if err != nil {
		return err
	}
	return to.Writer.Write(ctx, query.Destination{Database: cfg.StoreDatabase, Policy: storePolicy}, batch(all, to.Host, at))
}

// batch gives the statistics as points, a measurement for each name.
func batch(all []query.Statistic, host string, at time.Time) *model.Batch {
	b := &model.Batch{}
	for _, of := range byName(all) {
		columns := map[string]int{}
		t := model.Table{Measurement: of[0].Name}
		for i := range of {
			for name := range of[i].Values {
				if _, ok := columns[name]; !ok {
					columns[name] = len(t.Columns)
					t.Columns = append(t.Columns, model.Column{Field: model.Field{Name: name, Type: model.Integer}})
				}
			}
		}
		for i := range of {
			tags := slices.Clone(of[i].Tags)
			if host != "" {
				tags = append(tags, model.Tag{Key: "hostname", Value: host})
			}
			tags.Sort()
			t.Series = append(t.Series, uint32(len(b.Series)))
			t.Times = append(t.Times, at.UnixNano())
			b.Series = append(b.Series, model.Series{Key: model.AppendSeriesKey(nil, of[i].Name, tags)})
			for name, c := range columns {
				if v, ok := of[i].Values[name]; ok {
					t.Columns[c].AppendBits(uint64(v))
				} else {
					t.Columns[c].AppendNull()
				}
			}
		}
		b.Tables = append(b.Tables, t)
	}
	return b
}

// byName cuts statistics, which are sorted, into those of one name that have
// values.
func byName(all []query.Statistic) (parts [][]query.Statistic) {
	for i := range all {
		switch last := len(parts) - 1; {
		case len(all[i].Values) == 0:
		case last >= 0 && parts[last][0].Name == all[i].Name:
			parts[last] = append(parts[last], all[i])
		default:
			parts = append(parts, []query.Statistic{all[i]})
		}
	}
	return parts
}
