package query

import (
	"context"
	"strings"
	"testing"
	"time"
)

// fakeNodes is a cluster of two nodes of which one does not answer.
type fakeNodes struct {
	several bool
	killed  []string
}

func (f *fakeNodes) Several() bool { return f.several }

func (f *fakeNodes) Running(context.Context) ([]Running, []string, error) {
	return []Running{{Node: 7, Host: "b:8088", ID: 3, Text: "SELECT x", Database: "db", Age: 2 * time.Second}}, []string{"c"}, nil
}

func (f *fakeNodes) Kill(_ context.Context, host string, _ uint64) error {
	f.killed = append(f.killed, host)
	return nil
}

func TestQueriesOfAClusterAreShownAndEnded(t *testing.T) {
	b := newBench(t, DefaultConfig())
	nodes := &fakeNodes{}
	b.Join(nodes)
	one := b.run(t, Request{Text: `SHOW QUERIES`})
	if !strings.HasPrefix(one, "#0 (qid,query,database,duration,status) 1 SHOW QUERIES") {
		t.Errorf("of one node: %s", one)
	}
	nodes.several = true
	want := "#0 (qid,query,database,duration,status,node_id,tcp_host) 3 SELECT x db 2s running 7 b:8088 warning: no answer from c: its queries are not shown\n"
	if got := b.run(t, Request{Text: `SHOW QUERIES`}); got != want {
		t.Errorf("of a cluster: %s want %s", got, want)
	}
	if got := b.run(t, Request{Text: `KILL QUERY 3 ON "b:8088"; KILL QUERY 99`}); got != "#0\n#1 error: no such query id: 99\n" {
		t.Errorf("KILL QUERY gave %s", got)
	}
	if len(nodes.killed) != 1 || nodes.killed[0] != "b:8088" {
		t.Errorf("killed on %v", nodes.killed)
	}
}

func TestAnAnswerThatLacksSomethingSaysSo(t *testing.T) {
	b := newBench(t, DefaultConfig())
	b.storage.read = func(r *Read) {
		if !r.Partial || r.Consistency != ReadQuorum {
			t.Errorf("the storage was asked with %+v", r)
		}
		r.Lacks("shard 2 is missing")
		r.Lacks("shard 1 is missing")
		r.Lacks("shard 2 is missing")
	}
	got := b.run(t, Request{Text: `SHOW SERIES`, Database: "db", Partial: true, Consistency: ReadQuorum})
	if want := "#0 warning: shard 1 is missing warning: shard 2 is missing (partial)\n"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}
