package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// fakeRan is a node's queries, and the connection to them.
type fakeRan struct {
	all    []query.Running
	killed []uint64
	away   bool
}

func (f *fakeRan) Running() []query.Running { return f.all }

func (f *fakeRan) Kill(id uint64) error {
	if id == 404 {
		return &model.Error{Kind: model.ErrNotFound, Text: "no such query id: 404"}
	}
	f.killed = append(f.killed, id)
	return nil
}

func (f *fakeRan) Call(_ context.Context, method string, req []byte) ([]byte, error) {
	switch {
	case f.away:
		return nil, model.ErrUnavailable
	case method == methodKill:
		return nil, serveKill(f, req)
	}
	return appendRunning(nil, f.all), nil
}

func TestQueriesOfAllNodesAreShownAndEnded(t *testing.T) {
	store, ids := addressed(t)
	here := &fakeRan{all: []query.Running{{ID: 1, Text: "SELECT a", Database: "db", Age: time.Second}}}
	there := &fakeRan{all: []query.Running{{ID: 7, Text: "SELECT b", Age: time.Minute, Killed: true}}}
	gone := &fakeRan{away: true}
	others := map[uint64]*fakeRan{ids[1]: there, ids[2]: gone}
	q := &Queries{local: ids[0], here: here, meta: store, conn: func(node uint64) connection { return others[node] }}

	if !q.Several() {
		t.Error("three nodes are not several")
	}
	all, lacking, err := q.Running(t.Context())
	want := []query.Running{
		{Node: ids[0], Host: "10.0.0.1:8088", ID: 1, Text: "SELECT a", Database: "db", Age: time.Second},
		{Node: ids[1], Host: "10.0.0.2:8088", ID: 7, Text: "SELECT b", Age: time.Minute, Killed: true},
	}
	if err != nil || !reflect.DeepEqual(all, want) || len(lacking) != 1 || lacking[0] != "c" {
		t.Errorf("Running gave %+v, lacking %v, %v", all, lacking, err)
	}
	for host, f := range map[string]*fakeRan{"10.0.0.1:8088": here, "b": there, "10.0.0.2": there} {
		before := len(f.killed)
		if err := q.Kill(t.Context(), host, 9); err != nil || len(f.killed) != before+1 {
			t.Errorf("Kill on %s gave %v", host, err)
		}
	}
	if err := q.Kill(t.Context(), "b", 404); !errors.Is(err, model.ErrNotFound) || err.Error() != "no such query id: 404" {
		t.Errorf("Kill of no query gave %v", err)
	}
	if err := q.Kill(t.Context(), "nowhere:1", 9); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("Kill on no host gave %v", err)
	}
}

// addressed gives the metadata of three nodes at addresses, and their ids.
func addressed(t *testing.T) (store *meta.Store, ids []uint64) {
	t.Helper()
	kv := metatest.NewMemory()
	for i, name := range []string{"a", "b", "c"} {
		s, err := meta.Open(t.Context(), kv, vfs.NewMem(), "meta", meta.DefaultConfig(), slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		n, err := s.RegisterNode(t.Context(), meta.NodeSpec{
			Name: name, Roles: []meta.Role{meta.RoleCoordinator},
			Addresses: meta.Addresses{RPC: fmt.Sprintf("10.0.0.%d:8088", i+1)},
		})
		if err != nil {
			t.Fatal(err)
		}
		store, ids = s, append(ids, n.ID)
	}
	return store, ids
}

func FuzzRunningQueriesAreReadBackOrRefused(f *testing.F) {
	f.Add(appendRunning(nil, nil))
	f.Add(appendRunning(nil, []query.Running{{ID: 7, Text: "SELECT b", Database: "db", Age: time.Minute, Killed: true}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := decodeRunning(b)
		if err != nil {
			return
		}
		again, err := decodeRunning(appendRunning(nil, all))
		if err != nil || !reflect.DeepEqual(all, again) {
			t.Errorf("%+v was read again as %+v, %v", all, again, err)
		}
	})
}
