package tsm

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/varvedb/varve/model"
)

// check wants the content to be that of the applied set, however it came.
func (r *replica) check() {
	set, recent := r.s.Applied()
	var applied []*model.Batch
	for _, b := range r.all.batches {
		if set.Contains(b.ID) {
			applied = append(applied, b)
		}
	}
	if uint64(len(applied)) != set.Len() {
		fail("%s has %d batches applied, of which %d exist", r.name, set.Len(), len(applied))
	}
	if !set.ContainsAll(r.acked) {
		fail("%s: applied lacks what was acknowledged", r.name)
	}
	for _, v := range recent {
		if r.all.byID[v.ID].Version != v {
			fail("%s: recent has %v", r.name, v)
		}
	}
	want := contentOf(applied)
	for _, descending := range []bool{false, true} {
		got, err := cellsOf(r.s, descending)
		if err != nil {
			fail("%s: %w", r.name, err)
		}
		if !maps.Equal(got, want) {
			fail("%s: %s", r.name, difference(got, want))
		}
	}
	r.checkDigest(want)
}

// checkDigest wants equal sets to have equal digests, at every moment and place.
func (r *replica) checkDigest(content map[cell]any) {
	d, err := r.s.Digest(context.Background())
	no(err)
	key := string(d.Applied.Append(nil))
	old, ok := r.all.digests[key]
	if ok && (old.Hash != d.Hash || old.Rows != d.Rows) {
		fail("%s: one set has digests %x of %d rows and %x of %d", r.name, old.Hash, old.Rows, d.Hash, d.Rows)
	}
	r.all.digests[key] = d
	rows := map[cell]bool{}
	for c := range content {
		rows[cell{series: c.series, time: c.time}] = true
	}
	if int64(len(rows)) != d.Rows {
		fail("%s: the digest counts %d rows of %d", r.name, d.Rows, len(rows))
	}
}

// cellsOf gives the cells that a shard answers with.
func cellsOf(s *Shard, descending bool) (map[cell]any, error) {
	r, err := s.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	all := map[cell]any{}
	for _, name := range r.Measurements() {
		series, err := r.Series(name, nil)
		if err != nil {
			return nil, err
		}
		fields := r.Fields(name)
		c := r.Scan(ScanOptions{Series: series, Fields: fields, Range: model.AllTime, Descending: descending})
		for {
			g, err := c.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
			times, columns, err := g.Load()
			if err != nil {
				return nil, err
			}
			for i, f := range fields {
				for row := range times {
					if v := columns[i].Value(row); v != nil {
						all[cell{string(r.Key(g.Series())), times[row], f}] = v
					}
				}
			}
		}
	}
	return all, nil
}

func difference(got, want map[cell]any) string {
	var all []string
	for c, v := range want {
		if got[c] != v {
			all = append(all, fmt.Sprintf("%v: got %v, want %v", c, got[c], v))
		}
	}
	for c, v := range got {
		if _, ok := want[c]; !ok {
			all = append(all, fmt.Sprintf("%v: got %v, want nothing", c, v))
		}
	}
	slices.Sort(all)
	return strings.Join(all[:min(len(all), 5)], "\n")
}
