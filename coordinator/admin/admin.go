package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// Local is the data of this node; a *data.Node.
type Local interface {
	ShardStatus(ctx context.Context) []data.ShardStatus
	DiskBytes(shard uint64) (int64, error)
	Free() (uint64, error)
	Times(ctx context.Context, shard data.ShardRef) (model.TimeRange, error)
	Compact(ctx context.Context, shard data.ShardRef) error
	Digest(ctx context.Context, shard data.ShardRef) (tsm.Digest, error)
	Census() data.Census
	Past() data.Census
	Tags(ctx context.Context, group uint64, measurement string) ([]data.TagCensus, error)
}

// Parts is what an Admin works with.
type Parts struct {
	Store *meta.Store
	Local Local // nil: this node keeps no data
	// Conn gives the way to another node, nil when it is known not to answer. It
	// is nil itself where this node speaks with no other.
	Conn func(node uint64) data.Conn
	// Token makes a token that lets nodes join; nil where none can be made.
	Token func(ctx context.Context, life time.Duration) (string, error)
	// Certificates gives those that this node shows to others; nil: none.
	Certificates func() []adminapi.Certificate
	// Everyone answers requests from anywhere.
	Everyone bool
	// Limits bounds the series of databases for which no others are set.
	Limits model.SeriesLimits
	Log    *slog.Logger
}

// Admin answers the routes.
type Admin struct {
	Parts

	base   context.Context // of what goes on after the answer; ends at Close
	cancel context.CancelFunc
	done   sync.WaitGroup

	running Running // nil: this node takes no queries

	compacting atomic.Bool // a request to compact is being worked on
}

// New gives an Admin.
func New(p Parts) *Admin {
	a := &Admin{Parts: p}
	a.base, a.cancel = context.WithCancel(context.Background())
	return a
}

// Close ends what goes on after its request was answered. It is called when no
// more requests come.
func (a *Admin) Close() {
	a.cancel()
	a.done.Wait()
}

// askTimeout bounds how long another node is waited for that is asked for what
// it knows at once.
const askTimeout = 3 * time.Second

// conn gives the way to another node.
func (a *Admin) conn(node uint64) data.Conn {
	if a.Conn == nil {
		return nil
	}
	return a.Conn(node)
}

// find gives the node that a person means: by id, name or address.
func (a *Admin) find(text string) (*meta.Node, error) {
	s := a.Store.Snapshot()
	id, err := strconv.ParseUint(text, 10, 64)
	if err == nil {
		if n := s.Node(id); n != nil {
			return n, nil
		}
	}
	var found []*meta.Node
	for _, n := range s.Nodes() {
		if text != "" && (n.Name == text || n.Addresses.RPC == text || n.Addresses.HTTP == text) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return nil, &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("there is no node %q: give an id, a name or an address", text)}
	case 1:
		return found[0], nil
	}
	return nil, &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("%q means %d nodes: give an id", text, len(found))}
}

// nameOf gives what to call a node.
func nameOf(s *meta.Snapshot, node uint64) string {
	switch n := s.Node(node); {
	case node == 0:
		return ""
	case n == nil:
		return fmt.Sprintf("node %d", node) // removed
	default:
		return n.Name
	}
}

// refOf names a shard at any revision of its owners.
func refOf(g *meta.ShardGroup, shard uint64) data.ShardRef {
	return data.ShardRef{Database: g.Database, Policy: g.Policy, Group: g.ID, Shard: shard}
}

// shard gives a live shard.
func (a *Admin) shard(id uint64) (*meta.ShardGroup, *meta.Shard, error) {
	g, sh := a.Store.Snapshot().Shard(id)
	if sh == nil || !g.Live() {
		return nil, nil, &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("there is no shard %d", id)}
	}
	return g, sh, nil
}

// nodes gives the members of the cluster as far as the metadata knows them.
func (a *Admin) nodes(s *meta.Snapshot) []adminapi.Node {
	owned := map[uint64]int{}
	for g := range s.AllGroups {
		for _, sh := range g.Shards {
			for _, o := range sh.Owners {
				if g.Live() {
					owned[o.Node]++
				}
			}
		}
	}
	var out []adminapi.Node
	for _, n := range s.Nodes() {
		v := adminapi.Node{
			ID: n.ID, Name: n.Name, Version: n.Version, Labels: n.Labels, Starts: n.Starts, Draining: n.Draining,
			HTTP: n.Addresses.HTTP, RPC: n.Addresses.RPC, MetaClient: n.Addresses.MetaClient, MetaPeer: n.Addresses.MetaPeer,
			Alive: s.Alive(n.ID), Self: n.ID == a.Store.Self(), Shards: owned[n.ID],
		}
		if since, absent := s.AbsentSince(n.ID); absent && !v.Alive {
			v.AbsentSince = &since
		}
		for _, r := range n.Roles {
			v.Roles = append(v.Roles, string(r))
		}
		out = append(out, v)
	}
	return out
}

// short gives an error's text on one line.
func short(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "it did not answer in time"
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
