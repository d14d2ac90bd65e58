package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/model"
)

// The methods of this package. Their bodies are JSON: they are few and small.
const (
	methodReport  = "admin.report"
	methodTimes   = "admin.times"
	methodCompact = "admin.compact"
)

// report is what a node says of itself.
type report struct {
	Free         uint64                 `json:"free"`
	Shards       []replica              `json:"shards"`
	Certificates []adminapi.Certificate `json:"certificates,omitempty"`
}

// replica is what a node says of one of its replicas.
type replica struct {
	Shard  uint64        `json:"shard"`
	State  string        `json:"state"`
	InSync bool          `json:"in_sync"`
	Behind uint64        `json:"behind"`
	Age    time.Duration `json:"age"`
	Bytes  int64         `json:"bytes"`
	Doing  string        `json:"doing,omitempty"`
	Damage string        `json:"damage,omitempty"`
}

// report gives what this node says of itself.
func (a *Admin) report(ctx context.Context) (*report, error) {
	r := &report{}
	if a.Certificates != nil {
		r.Certificates = a.Certificates()
	}
	if a.Local == nil {
		return r, nil
	}
	var err error
	if r.Free, err = a.Local.Free(); err != nil {
		return nil, err
	}
	for _, st := range a.Local.ShardStatus(ctx) {
		v := replica{Shard: st.Shard.Shard, State: string(st.State), InSync: st.InSync, Doing: st.Doing, Damage: st.Damage}
		for _, l := range st.Lags {
			v.Behind += l.Batches
			v.Age = max(v.Age, l.Age)
		}
		if st.Open {
			v.Bytes = st.Info.DiskBytes
		} else if v.Bytes, err = a.Local.DiskBytes(v.Shard); err != nil {
			return nil, err
		}
		r.Shards = append(r.Shards, v)
	}
	return r, ctx.Err()
}

// reports is what the nodes of a cluster say of themselves, by id, and why
// some do not.
type reports struct {
	of     map[uint64]*report
	failed map[uint64]error
	// by shard and node
	replicas map[[2]uint64]*replica
}

// ask asks all data nodes for what they know.
func (a *Admin) ask(ctx context.Context) *reports {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out := &reports{of: map[uint64]*report{}, failed: map[uint64]error{}, replicas: map[[2]uint64]*replica{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, n := range a.Store.Snapshot().Nodes() {
		wg.Go(func() {
			r, err := a.askOne(ctx, n.ID)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.failed[n.ID] = err
				return
			}
			out.of[n.ID] = r
		})
	}
	wg.Wait()
	for node, r := range out.of {
		for i := range r.Shards {
			out.replicas[[2]uint64{r.Shards[i].Shard, node}] = &r.Shards[i]
		}
	}
	return out
}

func (a *Admin) askOne(ctx context.Context, node uint64) (*report, error) {
	if node == a.Store.Self() {
		return a.report(ctx)
	}
	r := &report{}
	return r, a.call(ctx, node, methodReport, nil, r)
}

// call asks another node.
func (a *Admin) call(ctx context.Context, node uint64, method string, request, answer any) error {
	c := a.conn(node)
	if c == nil {
		return errNoWay(node)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	b, err := c.Call(ctx, method, body)
	if err != nil {
		return err
	}
	return decode(b, answer)
}

func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read answer: %w: %w", model.ErrCorrupt, err)
	}
	return nil
}

func errNoWay(node uint64) error {
	return fmt.Errorf("node %d does not answer: %w", node, model.ErrUnavailable)
}

// Serve answers what the Admins of other nodes ask, until s is closed.
func (a *Admin) Serve(s *rpc.Server) {
	s.Unary(methodReport, func(ctx context.Context, _ rpc.Caller, _ []byte) ([]byte, error) {
		r, err := a.report(ctx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(r)
	})
	s.Unary(methodTimes, func(ctx context.Context, _ rpc.Caller, req []byte) ([]byte, error) {
		var shard uint64
		if err := decode(req, &shard); err != nil {
			return nil, err
		}
		r, err := a.timesHere(ctx, shard)
		if err != nil {
			return nil, err
		}
		return json.Marshal(r)
	})
	s.Unary(methodCensus, func(context.Context, rpc.Caller, []byte) ([]byte, error) { return json.Marshal(a.censusHere()) })
	s.Unary(methodTags, func(ctx context.Context, _ rpc.Caller, req []byte) ([]byte, error) {
		var r tagsRequest
		if err := decode(req, &r); err != nil {
			return nil, err
		}
		tags, err := a.tagsHere(ctx, r)
		if err != nil {
			return nil, err
		}
		return json.Marshal(tags)
	})
	// A stream, since that shows for how long it takes that the node is there.
	s.Stream(methodCompact, func(ctx context.Context, _ rpc.Caller, req []byte, _ func([]byte) error) error {
		var shard uint64
		if err := decode(req, &shard); err != nil {
			return err
		}
		return a.compactHere(ctx, shard)
	})
}

// Measure gives the bytes of one replica of each shard, the largest where they
// differ, as far as nodes answer. It is the controller's view of what is full.
func (a *Admin) Measure(ctx context.Context) (map[uint64]int64, error) {
	bytes := map[uint64]int64{}
	for at, r := range a.ask(ctx).replicas {
		bytes[at[0]] = max(bytes[at[0]], r.Bytes)
	}
	return bytes, ctx.Err()
}
