package replica

import (
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

// world is some nodes that own shard 1, with perfect clocks of one time.
type world struct {
	t     *testing.T
	now   time.Duration // since began
	nodes map[uint64]*Node
	seq   uint64
	made  map[model.BatchID]model.Version
	cut   map[[2]uint64]bool // no message goes from the first to the second
}

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, states ...State) *world {
	t.Helper()
	w := &world{t: t, nodes: make(map[uint64]*Node), cut: make(map[[2]uint64]bool), made: make(map[model.BatchID]model.Version), now: time.Hour}
	for i := range states {
		w.start(uint64(i+1), 1)
	}
	w.owners(1, states...)
	w.alive()
	for _, n := range w.nodes {
		n.Opened(1, &model.BatchSet{}, nil)
	}
	return w
}

// start replaces a node by one that knows nothing.
func (w *world) start(id, start uint64) *Node {
	w.t.Helper()
	n, err := New(Self{Node: id, Start: start}, DefaultConfig())
	if err != nil {
		w.t.Fatal(err)
	}
	w.nodes[id] = n
	return n
}

// owners makes nodes 1, 2, … owners in these states; "" is none.
func (w *world) owners(revision uint64, states ...State) {
	var owners []Owner
	for i, s := range states {
		if s != "" {
			owners = append(owners, Owner{uint64(i + 1), s})
		}
	}
	for _, n := range w.nodes {
		n.SetOwners(1, revision, owners)
	}
}

// alive says to all that all nodes but those have a lease.
func (w *world) alive(dead ...uint64) {
	infos := make(map[uint64]NodeInfo)
	for id, n := range w.nodes {
		infos[id] = NodeInfo{Start: n.self.Start, Alive: true}
	}
	for _, id := range dead {
		infos[id] = NodeInfo{Start: infos[id].Start}
	}
	for _, n := range w.nodes {
		n.SetNodes(true, infos)
	}
}

func (w *world) time() Time {
	return Time{HLC: model.NewHLC(began.Add(w.now)), Mono: w.now}
}

// version gives a new version, stamped now.
func (w *world) version() model.Version {
	w.seq++
	id := model.BatchID{Origin: 9, Epoch: 9, Seq: w.seq}
	w.made[id] = model.Version{HLC: w.time().HLC + model.HLC(w.seq), ID: id}
	return w.made[id]
}

// write makes a batch durable at some nodes.
func (w *world) write(v model.Version, nodes ...uint64) {
	w.t.Helper()
	for _, id := range nodes {
		if verdict, err := w.nodes[id].Admit(w.time(), 1, 0, v, FirstHand); verdict != Take || err != nil {
			w.t.Fatalf("node %d: Admit gave %v, %v, want Take", id, verdict, err)
		}
		w.nodes[id].Durable(1, v)
	}
}

// pass lets time pass, with messages every 200 ms.
func (w *world) pass(d time.Duration) {
	for end := w.now + d; w.now < end; {
		w.now += 200 * time.Millisecond
		for from, n := range inOrder(w.nodes) {
			for to, other := range inOrder(w.nodes) {
				if from != to {
					w.send(n, other, w.send(other, n, w.deliver(n, other)))
				}
			}
		}
	}
}

// deliver takes a message from one to the other, and reports whether it came.
func (w *world) deliver(from, to *Node) bool {
	m := from.Tell(w.time(), to.self.Node)
	if m == nil || w.cut[[2]uint64{from.self.Node, to.self.Node}] {
		return false
	}
	to.Receive(w.time(), m)
	return true
}

// send delivers an answer, if there was a question.
func (w *world) send(to, from *Node, asked bool) bool { return asked && w.deliver(from, to) }

// pull does all pulls of a node at once.
func (w *world) pull(id uint64) (batches int) {
	w.t.Helper()
	n := w.nodes[id]
	for _, p := range n.Pulls(w.time()) {
		for b := range p.Want.All {
			v := w.made[b]
			if verdict, err := n.Admit(w.time(), 1, p.Revision, v, Hand{Holder: p.From}); verdict != Take || err != nil {
				w.t.Fatalf("pulled batch: Admit gave %v, %v", verdict, err)
			}
			n.Durable(1, v)
			batches++
		}
		n.PullDone(w.time(), p, nil, nil)
	}
	return batches
}

func (w *world) inSync(id uint64) bool {
	_, ok := w.nodes[id].InSync(w.time(), 1)
	return ok
}
