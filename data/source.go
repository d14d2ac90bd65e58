package data

import (
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/tsm"
)

// source is a shard's reader as the operators want it.
type source struct{ *tsm.Reader }

var _ exec.Source = source{}

func (s source) Scan(o exec.ScanOptions) exec.Cursor {
	return cursor{s.Reader.Scan(tsm.ScanOptions(o))}
}

type cursor struct{ *tsm.Cursor }

func (c cursor) Next() (exec.Granule, error) {
	g, err := c.Cursor.Next()
	if err != nil {
		return nil, err // not a nil *tsm.Granule in an interface
	}
	return g, nil
}
