package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/coordinator/fanout"
	"github.com/varvedb/varve/model"
)

// The cells that are written: so few that writes collide.
const (
	seriesCount = 4
	timeCount   = 4
	fieldCount  = 2
	cellCount   = seriesCount * timeCount * fieldCount
)

// content is the value of each cell; 0 is none.
type content [cellCount]uint64

func cellOf(series, at, field int) int { return (series*timeCount+at)*fieldCount + field }

func cellName(cell int) string {
	return fmt.Sprintf("series %d time %d field %d", cell/fieldCount/timeCount, cell/fieldCount%timeCount, cell%fieldCount)
}

// put is a value for a cell.
type put struct {
	cell  int
	value uint64
}

// change is what a client asked for, as the model sees it.
type change struct {
	puts    []put
	covers  [cellCount]bool // of a delete
	deletes bool
}

// issued is a batch that was stamped.
type issued struct {
	version model.Version
	change  change
	write   *write
}

// write is a request to write or delete, of a client or for leftovers.
type write struct {
	number int
	level  fanout.Level
	shard  uint64
	change change
	sane   bool // the coordinator's clock was within the fence of the right time

	began   time.Duration
	acked   bool
	ackedAt time.Duration
	ids     []model.BatchID // stamped one after the other
	holder  model.BatchID   // the one that was acknowledged
	needed  int             // disks that had it then
	lost    int             // disks lost since
	// displaced is true when a disk with it was lost, or an owner with it taken
	// out: until all is healed readers may not find it.
	displaced bool
	hiddenAt  time.Duration // when last no owner that was alive had it
	handed    int           // owners that had it handed it over
	forgiven  string        // why it need not be anywhere any more
}

// history is all that was done to a shard.
type history struct {
	shard  uint64
	byID   map[model.BatchID]*issued
	order  []*issued // by version
	writes []*write
	gone   model.BatchSet       // was on a disk that was lost, or in a directory that was dropped
	cells  [cellCount][]*issued // that put a value there
}

func newHistory(shard uint64) *history {
	return &history{shard: shard, byID: map[model.BatchID]*issued{}}
}

// stamp enters a batch. It fails when its id was given before.
func (h *history) stamp(w *write, v model.Version) error {
	if old := h.byID[v.ID]; old != nil {
		return fmt.Errorf("id %v was given to write %d and to write %d", v.ID, old.write.number, w.number)
	}
	i := &issued{version: v, change: w.change, write: w}
	h.byID[v.ID] = i
	w.ids = append(w.ids, v.ID)
	at, same := slices.BinarySearchFunc(h.order, v, func(i *issued, v model.Version) int { return i.version.Compare(v) })
	if same {
		return fmt.Errorf("version %v was given twice", v)
	}
	h.order = slices.Insert(h.order, at, i)
	for _, p := range w.change.puts {
		h.cells[p.cell] = append(h.cells[p.cell], i)
	}
	return nil
}

// of gives what a replica that holds set must answer.
func (h *history) of(set *model.BatchSet) *content {
	c := &content{}
	for _, i := range h.order {
		if !set.Contains(i.version.ID) {
			continue
		}
		for _, p := range i.change.puts {
			c[p.cell] = p.value
		}
		if i.change.deletes {
			for cell, covered := range i.change.covers {
				if covered {
					c[cell] = 0
				}
			}
		}
	}
	return c
}

// checkIssued fails when set names a batch that nobody made.
func (h *history) checkIssued(set *model.BatchSet) error {
	var err error
	known := uint64(0)
	for _, i := range h.order {
		if set.Contains(i.version.ID) {
			known++
		}
	}
	if n := set.Len(); n != known {
		err = fmt.Errorf("holds %d batches of which only %d were ever made", n, known)
	}
	return err
}
