package exec

import (
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec/stage"
)

// joinGroup makes a series of calls that have points of their own, such as
// transformations. Points of one time make a row; where a call has two points
// of a time there are two rows. members and waiting are as of group.
func (g *grouper) joinGroup(key []string, members, waiting []*head) error {
	j := &join{grouper: g, held: stage.Budget{Account: g.budget.Account()}}
	defer j.close()
	j.w = g.series(key)
	j.w.skip, j.w.limit = 0, 0 // they count the points of each call
	if err := j.open(key, members, waiting); err != nil {
		return err
	}
	if err := j.run(); err != nil {
		return err
	}
	if len(g.b.GroupBy) > 0 {
		if err := skipGroup(g.ctx, key, members); err != nil {
			return err
		}
	}
	return j.w.close()
}

// join is the calls of a group on their way into rows.
type join struct {
	*grouper
	w       *seriesWriter
	held    stage.Budget // of the stages
	merged  []*merged
	cursors []*cursor // by call
}

func (j *join) close() {
	j.held.Account.Close()
	for _, m := range j.merged {
		if m != nil {
			m.account.Close()
		}
	}
}

// open makes the calls' cursors.
func (j *join) open(key []string, members, waiting []*head) error {
	j.merged = make([]*merged, len(j.b.Scans))
	for i := range j.b.Scans {
		if scan := &j.b.Scans[i]; !scan.Raw() {
			j.merged[i] = j.newMerged(scan)
			if err := j.mergeGroup(j.merged[i], key, ofScan(members, i)); err != nil {
				return err
			}
		}
	}
	for i := range j.b.Calls {
		call := &j.b.Calls[i]
		from := source(noPoints)
		switch {
		case call.Scan < 0:
		case j.merged[call.Scan] != nil:
			from = j.cellSource(j.merged[call.Scan], call)
		default:
			from = j.rowSource(key, ofScan(members, call.Scan), ofScan(waiting, call.Scan))
		}
		from, err := j.stagedSource(call, from, &j.held)
		if err != nil {
			return err
		}
		j.cursors = append(j.cursors, newCursor(j.b, from))
	}
	return nil
}

// ofScan gives the streams of a scan.
func ofScan(heads []*head, scan int) []*head {
	return slices.DeleteFunc(slices.Clone(heads), func(h *head) bool { return h.scan != scan })
}

func (j *join) run() error {
	if len(j.cursors) == 1 {
		return j.runOne(j.cursors[0])
	}
	for {
		times, slots, err := j.rows()
		if err != nil || len(times) == 0 {
			return err
		}
		if err := j.w.write(times, slots); err != nil {
			return err
		}
	}
}

// runOne writes the points of the only call.
func (j *join) runOne(c *cursor) error {
	for {
		if some, err := c.more(); err != nil || !some {
			return err
		}
		lo, hi := c.at, c.end
		c.at = hi
		slots := make([]model.Column, 0, 1+len(c.page.Aux))
		slots = append(slots, cut(&c.page.Value, lo, hi))
		for i := range c.page.Aux {
			slots = append(slots, cut(&c.page.Aux[i], lo, hi))
		}
		if err := j.w.write(c.page.Times[lo:hi:hi], slots); err != nil {
			return err
		}
	}
}

// rows gives the next rows, none at the end.
func (j *join) rows() (times []int64, slots []model.Column, err error) {
	slots = j.newSlots(0)
	for len(times) < outputRows {
		at, some, err := j.next()
		if err != nil {
			return nil, nil, err
		} else if !some {
			break
		}
		times = append(times, at)
		for i, c := range j.cursors {
			if c.at < c.end && c.page.Times[c.at] == at {
				slots[i].AppendRow(&c.page.Value, c.at)
				c.at++
			} else {
				slots[i].AppendNull()
			}
		}
	}
	return times, slots, j.ctx.Err()
}

// next gives the time of the next row: the first among the calls' next points.
func (j *join) next() (at int64, some bool, err error) {
	for _, c := range j.cursors {
		if c.at == c.end {
			more, err := c.more()
			if err != nil {
				return 0, false, err
			} else if !more {
				continue
			}
		}
		if t := c.page.Times[c.at]; !some || j.before(t, at) {
			at, some = t, true
		}
	}
	return at, some, nil
}
