package query

import (
	"context"
	"time"
)

// Nodes is what runs on the nodes of a cluster, for SHOW QUERIES and KILL QUERY.
// Package coordinator implements it.
type Nodes interface {
	// Several reports whether there are more nodes than this one.
	Several() bool
	// Running gives the requests that run on all nodes, by node and id. lacking
	// says which nodes did not answer.
	Running(ctx context.Context) (all []Running, lacking []string, err error)
	// Kill ends a request of a node, which host names: its name or one of its
	// addresses.
	Kill(ctx context.Context, host string, id uint64) error
}

// Running is a request that runs.
type Running struct {
	Node     uint64 // where, and its address; set by Nodes
	Host     string
	ID       uint64 // of one node's requests
	Text     string // without passwords
	Database string
	Age      time.Duration
	Killed   bool   // it is ending
	User     string // who asks; "" while authentication is off

	Memory   int64         // that it holds at its node, in bytes
	Series   int64         // that were read so far, on all nodes
	Points   int64         // rows of series that were decoded so far
	Answered int64         // rows that were handed out so far
	Busy     time.Duration // that shards have worked for it so far
}

// Join makes the executor show and end the requests of all nodes. It is called
// before the first request.
func (e *Executor) Join(n Nodes) { e.nodes = n }

// Running gives the requests that run here, oldest first.
func (e *Executor) Running() []Running {
	tasks := e.running.list()
	out := make([]Running, len(tasks))
	for i, t := range tasks {
		out[i] = Running{
			ID:       t.id,
			Text:     t.text(),
			Database: t.query.req.Database,
			Age:      time.Since(t.start),
			Killed:   t.ended() != nil,
			Series:   t.read.Series.Load(),
			Points:   t.read.Rows.Load(),
			Answered: t.answered.Load(),
			Busy:     time.Duration(t.read.Busy.Load()),
		}
		out[i].Memory, _ = t.held()
		if u := t.query.req.User; u != nil {
			out[i].User = u.Name()
		}
	}
	return out
}

// Kill ends a request that runs here; its client sees "query interrupted".
func (e *Executor) Kill(id uint64) error { return e.running.kill(id) }
