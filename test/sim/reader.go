package sim

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/varvedb/varve/coordinator/fanout"
	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// readTimeout ends the question to one owner.
const readTimeout = 2 * time.Second

// readOne reads a shard from the first owner that is in sync.
func (p *process) readOne(shard uint64) {
	began := p.w.now
	s := p.m.view.shard(shard)
	if s == nil || s.dropped {
		return
	}
	owners := s.replicaNodes(replica.Active, replica.Leaving)
	p.w.rng.Shuffle(len(owners), func(i, j int) { owners[i], owners[j] = owners[j], owners[i] })
	if i := slices.Index(owners, p.node); i > 0 {
		owners[0], owners[i] = owners[i], owners[0]
	}
	p.readFrom(owners, s, began)
}

func (p *process) readFrom(owners []uint64, s *metaShard, began time.Duration) {
	if len(owners) == 0 {
		p.w.stats.ReadsFailed++
		return
	}
	p.call(owners[0], readTimeout, func(q *process, reply func(func(), error)) {
		r, err := q.reading(s.id, s.revision)
		if err == nil {
			if _, ok := q.core.InSync(q.time(), s.id); !ok {
				err = model.ErrBehind
			}
		}
		if err != nil {
			reply(nil, err)
			return
		}
		q.w.checkRead(q, r, began, fanout.One)
		reply(func() { p.w.stats.Reads++ }, nil)
	}, func(error) { p.readFrom(owners[1:], s, began) })
}

// reading gives a replica that may answer reads, if it is in sync.
func (p *process) reading(shard, revision uint64) (*replicaOf, error) {
	r, err := p.serving(shard, revision)
	if err != nil {
		return nil, err
	}
	switch p.m.view.shard(shard).owner(p.node).state {
	case replica.Active, replica.Leaving:
		return r, nil
	}
	return nil, model.ErrBehind
}

// quorumRead asks a quorum for what they hold, and reads from one that holds
// all of that.
type quorumRead struct {
	p     *process
	s     *metaShard
	began time.Duration
	union model.BatchSet
	met   []uint64
	begun bool
}

func (p *process) readQuorum(shard uint64) {
	s := p.m.view.shard(shard)
	if s == nil || s.dropped {
		return
	}
	q := &quorumRead{p: p, s: s, began: p.w.now}
	after, before := fanout.Sets(fanOwners(s))
	all := slices.Concat(after, before)
	slices.Sort(all)
	for _, node := range slices.Compact(all) {
		p.call(node, readTimeout, func(at *process, reply func(func(), error)) {
			if _, err := at.reading(s.id, s.revision); err != nil {
				reply(nil, err)
				return
			}
			set := at.core.Applied(s.id)
			reply(func() { q.heard(node, set, after, before) }, nil)
		}, func(error) {})
	}
}

// heard notes what an owner holds, and reads once they are enough.
func (q *quorumRead) heard(node uint64, set *model.BatchSet, after, before []uint64) {
	if q.begun {
		return
	}
	q.union.AddAll(set)
	q.met = append(q.met, node)
	for _, owners := range [][]uint64{after, before} {
		n := 0
		for _, o := range owners {
			if slices.Contains(q.met, o) {
				n++
			}
		}
		if n < fanout.Needs(fanout.Quorum, fanOwners(q.s), owners) {
			return
		}
	}
	q.begun = true
	from := q.met[q.p.w.rng.IntN(len(q.met))]
	q.p.call(from, 2*readTimeout, func(at *process, reply func(func(), error)) {
		at.waitFor(q.s, &q.union, 20, func(r *replicaOf) {
			at.w.checkRead(at, r, q.began, fanout.Quorum)
			reply(func() { q.p.w.stats.QuorumReads++ }, nil)
		})
	}, func(error) { q.p.w.stats.ReadsFailed++ })
}

// waitFor runs then once the replica holds a set.
func (p *process) waitFor(s *metaShard, set *model.BatchSet, tries int, then func(r *replicaOf)) {
	r, err := p.reading(s.id, s.revision)
	switch {
	case err != nil || tries == 0:
	case p.core.Applied(s.id).ContainsAll(set):
		then(r)
	default:
		p.after(150*time.Millisecond, func() { p.waitFor(s, set, tries-1, then) })
	}
}

// read gives the content of a replica.
func (p *process) read(r *replicaOf) (c *content, set *model.BatchSet, err error) {
	set, _ = r.shard.Applied()
	reader, err := r.shard.Reader()
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	c = &content{}
	series, err := reader.Series(measurement, nil)
	if err != nil {
		return nil, nil, err
	}
	cur := reader.Scan(tsm.ScanOptions{Series: series, Fields: fields, Range: model.AllTime})
	defer cur.Close()
	for {
		g, err := cur.Next()
		if err == io.EOF {
			return c, set, nil
		}
		if err != nil {
			return nil, nil, err
		}
		times, columns, err := g.Load()
		if err != nil {
			return nil, nil, err
		}
		at := slices.Index(seriesKeys, string(reader.Key(g.Series())))
		if at < 0 {
			return nil, nil, fmt.Errorf("series %q was never written", reader.Key(g.Series()))
		}
		for i := range columns {
			for row, t := range times {
				if columns[i].Has(row) {
					c[cellOf(at, int(t/timeStep), i)] = columns[i].Bits[row]
				}
			}
		}
	}
}
