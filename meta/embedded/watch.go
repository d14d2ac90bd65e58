package embedded

import (
	"context"
	"errors"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/meta"
)

const (
	// progressEvery is how often etcd is asked how far the watch has come.
	progressEvery = time.Second
	// silentFor is after which silence a watch moves to another endpoint. It
	// is as long as two questions and the choice of a leader.
	silentFor = 3 * time.Second
)

// Watch implements meta.KV. It moves from one endpoint to another where it
// must, without a break.
func (c *Client) Watch(ctx context.Context, prefix string, from int64) <-chan meta.Changes {
	out := make(chan meta.Changes)
	go func() {
		defer close(out)
		w := watch{prefix: prefix, next: from, out: out}
		for ctx.Err() == nil {
			order := c.order()
			if len(order) == 0 {
				w.send(ctx, meta.Changes{Err: errNoEndpoint})
				return
			}
			if err := w.follow(ctx, order[0]); err != nil {
				w.send(ctx, meta.Changes{Err: err})
				return
			}
			if pace.Sleep(ctx, tryPause) == nil {
				order[0].blame()
			}
		}
	}()
	return out
}

var errNoEndpoint = errors.New("no endpoint of etcd is known")

// watch is where a watch is.
type watch struct {
	prefix string
	next   int64 // revision that is sent next
	out    chan<- meta.Changes
}

func (w *watch) send(ctx context.Context, c meta.Changes) {
	select {
	case w.out <- c:
	case <-ctx.Done():
	}
}

// follow sends what comes from one endpoint until it goes silent or fails, which
// is no error. An error ends the watch: no endpoint could go on with it.
func (w *watch) follow(ctx context.Context, e *endpoint) error {
	etcd, err := e.client()
	if err != nil || !e.usable() {
		return nil // no word from this one
	}
	// RequireLeader: a member cut off from the others must not leave the
	// watcher waiting for changes that it will never see.
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	// From now on: etcd's Watch itself waits for as long as it cannot connect.
	silence := time.AfterFunc(silentFor, cancel)
	defer silence.Stop()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel() // before waiting for them
	helpers.Go(func() { endWithConnection(ctx, cancel, etcd.ActiveConnection()) })
	in := etcd.Watch(ctx, w.prefix, clientv3.WithPrefix(), clientv3.WithRev(w.next), clientv3.WithCreatedNotify())
	helpers.Go(func() {
		for pace.Sleep(ctx, progressEvery) == nil {
			if !e.usable() || etcd.RequestProgress(ctx) != nil {
				cancel()
				return
			}
		}
	})
	for {
		select {
		case r, ok := <-in:
			switch {
			case !ok:
				return nil
			case r.CompactRevision != 0:
				return r.Err()
			case r.Err() != nil:
				return nil
			}
			w.pass(ctx, r)
			silence.Reset(silentFor)
		case <-ctx.Done():
			return nil
		}
	}
}

// endWithConnection ends a watch when its connection does, or cannot be made:
// etcd's client would wait for the same member to come back. It returns when ctx
// ends.
func endWithConnection(ctx context.Context, cancel context.CancelFunc, conn *grpc.ClientConn) {
	if conn == nil {
		return
	}
	for was := conn.GetState(); ; {
		if was == connectivity.TransientFailure {
			cancel()
			return
		}
		if !conn.WaitForStateChange(ctx, was) {
			return
		}
		if was == connectivity.Ready {
			cancel()
			return
		}
		was = conn.GetState()
	}
}

// pass sends one response on.
func (w *watch) pass(ctx context.Context, r clientv3.WatchResponse) {
	switch n := len(r.Events); {
	case n > 0:
		next := meta.Changes{Changes: make([]meta.Change, n)}
		for i, e := range r.Events {
			next.Changes[i] = change(e)
		}
		// The header may be ahead of what a batch of old events holds.
		next.Revision = next.Changes[n-1].Modified
		w.next = next.Revision + 1
		w.send(ctx, next)
	case r.IsProgressNotify() && r.Header.Revision >= w.next:
		w.next = r.Header.Revision + 1
		w.send(ctx, meta.Changes{Revision: r.Header.Revision})
	}
}

func change(e *clientv3.Event) meta.Change {
	return meta.Change{
		Item: meta.Item{
			Key: string(e.Kv.Key), Value: e.Kv.Value,
			Created: e.Kv.CreateRevision, Modified: e.Kv.ModRevision,
		},
		Removed: e.Type == clientv3.EventTypeDelete,
	}
}
