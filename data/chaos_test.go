package data

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// amount gives, by series and time, what a set of batches amounts to.
func (b *bubble) amount(set *model.BatchSet) map[string]map[int64]float64 {
	var all []*model.Batch
	for id := range set.All {
		if sent := b.sent[id]; sent != nil {
			all = append(all, sent)
		}
	}
	slices.SortFunc(all, func(a, b *model.Batch) int { return a.Version.Compare(b.Version) })
	want := make(map[string]map[int64]float64)
	for _, b := range all {
		if b.Delete != nil {
			for _, cells := range want {
				maps.DeleteFunc(cells, func(at int64, _ float64) bool { return b.Delete.Range.Contains(at) })
			}
			continue
		}
		series := string(b.Series[0].Key[len("m,t="):])
		if want[series] == nil {
			want[series] = make(map[int64]float64)
		}
		want[series][b.Tables[0].Times[0]] = valueOf(b)
	}
	maps.DeleteFunc(want, func(_ string, cells map[int64]float64) bool { return len(cells) == 0 })
	return want
}

func valueOf(b *model.Batch) float64 { return math.Float64frombits(b.Tables[0].Columns[0].Bits[0]) }

// TestReplicasAgreeWhateverHappens cuts links, cuts power and moves the shard
// while few cells are written again and again; then everything is well again,
// and the owners must hold every acknowledged batch and answer what these batches
// amount to.
func TestReplicasAgreeWhateverHappens(t *testing.T) {
	for run := range 4 {
		t.Run(fmt.Sprint(run), func(t *testing.T) {
			inBubble(t, 4, 2+run%2, nil, agreeWhateverHappens)
		})
	}
}

func agreeWhateverHappens(t *testing.T, b *bubble) {
	shard := b.members[0].shard().Shard
	acked := &model.BatchSet{}
	isolated := make(map[*member]bool)
	value := 0.0
	for range 150 {
		m := b.members[b.random.IntN(len(b.members))]
		switch n := b.random.IntN(100); {
		case n < 70 && m.up:
			var batch *model.Batch
			if n < 5 {
				from := int64(b.random.IntN(10))
				batch = &model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: from, Max: from + 2}}}
			} else {
				value++
				batch = m.point(fmt.Sprint(b.random.IntN(3)), int64(b.random.IntN(10)), value)
			}
			m.stamp(shard, batch)
			if m.send(t.Context(), shard, batch) > 0 {
				acked.Add(batch.ID)
			}
		case n < 75 && m.up:
			isolated[m] = !isolated[m]
			m.isolate(isolated[m])
		case n < 80:
			b.setCut(m, b.members[b.random.IntN(len(b.members))], b.random.IntN(2) == 0)
		case n < 84 && m.up && len(isolated) < 3:
			m.kill()
			isolated[m] = false
			if b.random.IntN(2) == 0 {
				m.start()
			}
		case n < 88 && !m.up:
			m.start()
		case n < 91 && m.up:
			h, s, err := m.node.shards.use(shard)
			if err == nil && m.directory(shard) {
				_ = s.Flush(t.Context())
			}
			if err == nil {
				m.node.release(h)
			}
		case n < 93 && m.up && !isolated[m]:
			// Refused when a move is under way; that is as good.
			if sh := m.known(shard); m.node.stateIn(sh) == "" {
				from := sh.Owners[b.random.IntN(len(sh.Owners))].Node
				_ = m.store.AddOwner(t.Context(), meta.Fence{}, shard, m.id, from, meta.ByHand)
			}
		default:
			time.Sleep(time.Duration(b.random.IntN(4000)) * time.Millisecond)
		}
		time.Sleep(time.Duration(b.random.IntN(100)) * time.Millisecond)
	}
	for _, m := range b.members {
		if !m.up {
			m.start()
		}
		m.isolate(false)
	}
	for _, from := range b.members {
		for _, to := range b.members {
			b.setCut(from, to, false)
		}
	}
	b.untilEqual(2*time.Minute, shard)
	b.until(time.Minute, "nobody comes or goes any more", func() bool {
		sh := b.members[0].known(shard)
		return !slices.ContainsFunc(sh.Owners, func(o meta.Owner) bool { return o.State != meta.Active })
	})
	b.untilEqual(time.Minute, shard)

	owner := b.owners(shard)[0]
	held := owner.node.core.Applied(shard)
	for id := range acked.Minus(held).All {
		t.Errorf("batch %v was acknowledged and is lost", id)
	}
	want := b.amount(held)
	for _, m := range b.owners(shard) {
		for series := range 3 {
			name := fmt.Sprint(series)
			if got := m.values(shard, name); !maps.Equal(got, want[name]) {
				t.Errorf("%s has %v in series %s, want %v", m.name, got, name, want[name])
			}
		}
	}
}
