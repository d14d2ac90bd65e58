package data

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/varvedb/varve/internal/tracing"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// Share has reads for other nodes take their memory from a pool that others
// draw on, too. It is called before the first read.
func (n *Node) Share(p *memory.Pool) { n.queries = p }

// counted gives the context of a read, whose memory counts against the query's
// budget when that runs here. A query of another node has one here for each
// shard: the pool bounds them together. end must follow.
func (n *Node) counted(ctx context.Context, limit int) (counted context.Context, end func()) {
	if memory.FromContext(ctx) != nil {
		return ctx, func() {}
	}
	b := n.queries.Budget(int64(limit))
	return memory.NewContext(ctx, b), b.Close
}

// Scan implements Peer.
func (n *Node) Scan(ctx context.Context, ref ReadRef, f *plan.Fragment, emit func(*exec.Partial) error) (err error) {
	ctx, end := n.counted(ctx, f.MaxBytes)
	defer end()
	ctx, span := tracing.Start(ctx, "scan")
	span.Int("shard", int(ref.Shard))
	defer func() { span.End(err) }()
	return n.read(ctx, ref, func(src exec.Source) error {
		n.metrics.scans.Inc()
		return n.scanners.RunFragment(ctx, src, f, func(p *exec.Partial) error {
			if p.Report != nil {
				p.Report.Shard, p.Report.Node = ref.Shard, n.self
			}
			return emit(p)
		})
	})
}

// List implements Peer.
func (n *Node) List(ctx context.Context, ref ReadRef, q *exec.ListRequest) (*exec.List, error) {
	ctx, end := n.counted(ctx, 0)
	defer end()
	list := &exec.List{}
	err := n.read(ctx, ref, func(src exec.Source) (err error) {
		list, err = exec.RunList(ctx, src, q)
		return err
	})
	return list, err
}

// Schema implements Peer.
func (n *Node) Schema(ctx context.Context, ref ReadRef, where *model.Predicate) ([]Measurement, error) {
	var out []Measurement
	err := n.read(ctx, ref, func(src exec.Source) error {
		for _, name := range src.Measurements() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if where.Holds(name, nil) {
				out = append(out, Measurement{Name: name, Fields: src.Fields(name), Tags: src.TagKeys(name)})
			}
		}
		return nil
	})
	return out, err
}

// Applied implements Peer and Owner.
func (n *Node) Applied(ctx context.Context, ref ShardRef) (*model.BatchSet, error) {
	if err := n.ready(ctx, ref); err != nil {
		return nil, named(ref, err)
	}
	return n.core.Applied(ref.Shard), nil
}

// read runs f over a view of a shard that may be read; one that is not here has
// no data.
func (n *Node) read(ctx context.Context, ref ReadRef, f func(exec.Source) error) (err error) {
	if err := n.readable(ctx, ref); err != nil {
		return named(ref.ShardRef, err)
	}
	h, shard, err := n.shards.useThere(ref.Shard)
	if errors.Is(err, model.ErrNotFound) {
		// Never written to, unless it was given up a moment ago.
		if _, sh := n.follow().Shard(ref.Shard); sh != nil && serves(n.stateIn(sh)) && n.shards.absent(ref.Shard) {
			return nil
		}
		return named(ref.ShardRef, n.dropped(ref.ShardRef))
	}
	if err != nil {
		return err
	}
	defer n.release(h)
	r, err := shard.Reader()
	if err != nil {
		return fmt.Errorf("read %s: %w", ref, err)
	}
	defer func() { // also after a panic, which does not end the process
		if cerr := r.Close(); err == nil {
			err = named(ref.ShardRef, cerr)
		}
	}()
	return named(ref.ShardRef, f(source{Reader: r, agreed: n.agreed(ref.ShardRef)}))
}

// ready makes sure that a replica may be asked what it holds: that this node is
// an owner that serves, of the same set of owners that the asker knows, and that
// the replica was opened once. A shard that is gone is ready: it is empty.
func (n *Node) ready(ctx context.Context, ref ShardRef) error {
	_, sh, err := n.current(ctx, ref)
	if err != nil || sh == nil {
		return err
	}
	switch state := n.stateIn(sh); {
	case state == "":
		return errNoOwner(ref)
	case ref.Revision != 0 && ref.Revision != sh.Revision:
		return fmt.Errorf("revision %d of its owners, not %d: %w", sh.Revision, ref.Revision, model.ErrMoved)
	case !serves(state):
		return fmt.Errorf("%w: the replica is %s", model.ErrBehind, state)
	}
	if n.shards.has(ref.Shard) {
		if err := n.load(ref.Shard); err != nil && !errors.Is(err, model.ErrNotFound) {
			return err
		}
	}
	return nil
}

// readable makes sure that a replica holds what an answer must contain.
func (n *Node) readable(ctx context.Context, ref ReadRef) error {
	if err := n.ready(ctx, ref.ShardRef); err != nil {
		return err
	}
	switch {
	case ref.Holds != nil:
		return n.await(ctx, ref)
	case ref.Stale:
		return nil
	}
	// Reading promises nothing, so it need not wait for the clock's disk.
	missing, ok := n.core.InSync(n.lately(), ref.Shard)
	if ok {
		return nil
	}
	if g, sh := n.follow().Shard(ref.Shard); sh == nil || !g.Live() {
		return nil // dropped meanwhile
	}
	n.metrics.behind.Inc()
	names := make([]string, len(missing))
	for i, node := range missing {
		names[i] = n.nameOf(node)
	}
	return fmt.Errorf("%w: it has not met %s", model.ErrBehind, strings.Join(names, ", "))
}

func (n *Node) nameOf(node uint64) string {
	if other := n.meta.Snapshot().Node(node); other != nil {
		return other.Name
	}
	return fmt.Sprintf("node %d", node)
}

// awaitEvery is how often a read that must contain certain batches asks for
// those that are missing: they come from owners that have said that they hold
// them, so one round does, unless an owner has failed.
const awaitEvery = 50 * time.Millisecond

// await waits until a replica holds what a read must contain. It does not wait
// for the statements of the other owners, but asks them at once.
func (n *Node) await(ctx context.Context, ref ReadRef) error {
	for {
		missing := ref.Holds.Minus(n.core.Applied(ref.Shard))
		if missing.Empty() {
			return nil
		}
		_, sh := n.follow().Shard(ref.Shard)
		if sh == nil {
			return nil
		}
		if serves(n.stateIn(sh)) {
			for _, node := range n.others(sh, meta.Active, meta.Leaving) {
				own := ref.ShardRef
				own.Revision = sh.Revision
				_, _ = n.fetch(ctx, own, node, missing) // another owner, or the next round
				if missing = missing.Minus(n.core.Applied(ref.Shard)); missing.Empty() {
					return nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %d batches have not come: %w", model.ErrBehind, missing.Len(), context.Cause(ctx))
		case <-time.After(awaitEvery):
		}
	}
}

// agreed gives what the schema registry knows of the fields of a shard.
func (n *Node) agreed(ref ShardRef) func(measurement string) []model.Field {
	snapshot := n.meta.Snapshot()
	return func(measurement string) []model.Field { return snapshot.Fields(ref.Group, measurement) }
}

// named says of which shard err is, unless its text is for clients as it is.
func named(ref ShardRef, err error) error {
	var final *model.Error
	if err == nil || errors.As(err, &final) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("read %s: %w", ref, err)
}
