package coordinator

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// The methods by which nodes show and end each other's queries.
const (
	methodRunning = "coordinator.running"
	methodKill    = "coordinator.kill"
)

const (
	// runningWait is how long other nodes have to say what they run, killWait to
	// end a query.
	runningWait = 2 * time.Second
	killWait    = 5 * time.Second
	// runningMemory bounds what the answer of one node may take.
	runningMemory = 64 << 20
	// runningFormat is the version of the messages, their first byte.
	runningFormat = 2
)

// ran is the requests of one node: a *query.Executor.
type ran interface {
	Running() []query.Running
	Kill(id uint64) error
}

// connection calls another node: a *rpc.Conn.
type connection interface {
	Call(ctx context.Context, method string, req []byte) ([]byte, error)
}

// Queries is what runs on all nodes. It implements query.Nodes.
type Queries struct {
	local uint64
	here  ran
	meta  *meta.Store
	conn  func(node uint64) connection // nil where there is no way
}

var _ query.Nodes = (*Queries)(nil)

// NewQueries gives the queries of all nodes; here runs those of this one.
func NewQueries(n *Nodes, here *query.Executor) *Queries {
	return &Queries{local: n.local, here: here, meta: n.meta, conn: func(node uint64) connection {
		if c := n.conn(node); c != nil {
			return c
		}
		return nil
	}}
}

// ServeQueries answers what Queries of other nodes ask of this one's.
func ServeQueries(s *rpc.Server, here *query.Executor) {
	s.Unary(methodRunning, func(context.Context, rpc.Caller, []byte) ([]byte, error) {
		return appendRunning(nil, here.Running()), nil
	})
	s.Unary(methodKill, func(_ context.Context, _ rpc.Caller, req []byte) ([]byte, error) {
		return nil, serveKill(here, req)
	})
}

func serveKill(here ran, req []byte) error {
	r := wire.NewReader(req, 0)
	r.Format(runningFormat)
	id := r.Uvarint()
	if err := r.Done(); err != nil {
		return fmt.Errorf("request to kill: %w", err)
	}
	return here.Kill(id)
}

// Several implements query.Nodes.
func (q *Queries) Several() bool { return len(q.meta.Snapshot().Nodes()) > 1 }

// Running implements query.Nodes. A node whose lease has ended runs nothing
// that matters.
func (q *Queries) Running(ctx context.Context) (all []query.Running, lacking []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, runningWait)
	defer cancel()
	snapshot, away := q.meta.Snapshot(), q.meta.Away()
	nodes := snapshot.Nodes()
	answers := make([][]query.Running, len(nodes))
	errs := make([]error, len(nodes))
	var asked sync.WaitGroup
	for i, n := range nodes {
		switch {
		case n.ID == q.local:
			answers[i] = q.here.Running()
		case n.Addresses.RPC != "" && (away || snapshot.Alive(n.ID)):
			asked.Go(func() { answers[i], errs[i] = q.runningAt(ctx, n.ID) })
		}
	}
	asked.Wait()
	for i, n := range nodes {
		if errs[i] != nil {
			lacking = append(lacking, n.Name)
			continue
		}
		for _, r := range answers[i] {
			r.Node, r.Host = n.ID, hostOf(n)
			all = append(all, r)
		}
	}
	return all, lacking, nil
}

func hostOf(n *meta.Node) string {
	if n.Addresses.RPC != "" {
		return n.Addresses.RPC
	}
	return n.Name
}

func (q *Queries) runningAt(ctx context.Context, node uint64) ([]query.Running, error) {
	c := q.conn(node)
	if c == nil {
		return nil, errUnreachable
	}
	b, err := c.Call(ctx, methodRunning, nil)
	if err != nil {
		return nil, err
	}
	return decodeRunning(b)
}

// Kill implements query.Nodes.
func (q *Queries) Kill(ctx context.Context, host string, id uint64) error {
	node, err := q.find(host)
	if err != nil {
		return err
	}
	if node.ID == q.local {
		return q.here.Kill(id)
	}
	c := q.conn(node.ID)
	if c == nil {
		return &model.Error{Kind: model.ErrUnavailable, Text: fmt.Sprintf("node %s cannot be reached", node.Name)}
	}
	ctx, cancel := context.WithTimeout(ctx, killWait)
	defer cancel()
	_, err = c.Call(ctx, methodKill, wire.AppendUvarint([]byte{runningFormat}, id))
	return err
}

// find gives the node that a text names: by its name, one of its addresses, or
// the host of these where only one node is on it.
func (q *Queries) find(text string) (*meta.Node, error) {
	var onHost []*meta.Node
	for _, n := range q.meta.Snapshot().Nodes() {
		if text == n.Name || text == n.Addresses.RPC || text == n.Addresses.HTTP {
			return n, nil
		}
		if host, _, err := net.SplitHostPort(n.Addresses.RPC); err == nil && host == text {
			onHost = append(onHost, n)
		}
	}
	if len(onHost) != 1 {
		return nil, &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("no such host: %q", text)}
	}
	return onHost[0], nil
}

// appendRunning adds what runs on a node: format, number, then of each the id,
// the text, the database, the age in nanoseconds, whether it was killed, the user,
// and what it has cost so far.
func appendRunning(dst []byte, all []query.Running) []byte {
	dst = wire.AppendUvarint(append(dst, runningFormat), uint64(len(all)))
	for _, r := range all {
		dst = wire.AppendUvarint(dst, r.ID)
		dst = wire.AppendString(dst, r.Text)
		dst = wire.AppendString(dst, r.Database)
		dst = wire.AppendVarint(dst, int64(r.Age))
		dst = wire.AppendString(wire.AppendBool(dst, r.Killed), r.User)
		for _, n := range []int64{r.Memory, r.Series, r.Points, r.Answered, int64(r.Busy)} {
			dst = wire.AppendVarint(dst, n)
		}
	}
	return dst
}

// decodeRunning is the inverse of appendRunning.
func decodeRunning(b []byte) ([]query.Running, error) {
	const least = 11 // bytes of one
	in := wire.NewReader(b, runningMemory)
	in.Format(runningFormat)
	n := in.Count(least)
	if !in.Spend(n, 160) {
		n = 0
	}
	all := make([]query.Running, 0, n)
	for range n {
		all = append(all, query.Running{
			ID: in.Uvarint(), Text: in.String(), Database: in.String(), Age: time.Duration(in.Varint()), Killed: in.Bool(),
			User: in.String(), Memory: in.Varint(), Series: in.Varint(), Points: in.Varint(), Answered: in.Varint(), Busy: time.Duration(in.Varint()),
		})
	}
	if err := in.Done(); err != nil {
		return nil, fmt.Errorf("decode running queries: %w", err)
	}
	return all, nil
}
