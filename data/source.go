package data

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/tsm"
)

// source is a shard's reader as the operators want it.
type source struct {
	*tsm.Reader
	// agreed gives the fields of a measurement in the schema registry.
	agreed func(measurement string) []model.Field
}

var (
	_ exec.Source = source{}
	_ exec.Coster = source{}
)

// Fields gives what is stored and what the registry knows: a field stays when
// its last value is deleted, until its measurement goes, as in InfluxDB.
func (s source) Fields(measurement string) []model.Field {
	stored := s.Reader.Fields(measurement)
	if len(stored) == 0 {
		return nil
	}
	all := append(stored, s.agreed(measurement)...)
	slices.SortFunc(all, func(a, b model.Field) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return slices.Compact(all)
}

func (s source) Scan(o exec.ScanOptions) exec.Cursor {
	return cursor{s.Reader.Scan(tsm.ScanOptions{Fields: o.Fields, Range: o.Range, Descending: o.Descending, Whole: true})}
}

// Cost implements exec.Coster.
func (s source) Cost(ctx context.Context, series []uint32, o exec.ScanOptions) (exec.Cost, error) {
	c, err := s.Reader.Cost(ctx, tsm.ScanOptions{Series: series, Fields: o.Fields, Range: o.Range})
	return exec.Cost(c), err
}

type cursor struct{ *tsm.Cursor }

func (c cursor) Next() (exec.Granule, error) {
	g, err := c.Cursor.Next()
	if err != nil {
		return nil, err // not a nil *tsm.Granule in an interface
	}
	return g, nil
}
