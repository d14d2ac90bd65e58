package sim

import (
	"container/heap"
	"time"
)

// queue is the events to come, by virtual time; events of one time run in the
// order in which they were made.
type queue struct {
	now    time.Duration
	made   uint64
	events eventHeap
}

type event struct {
	at   time.Duration
	made uint64
	do   func()
}

// after runs do once d has passed.
func (q *queue) after(d time.Duration, do func()) {
	q.made++
	heap.Push(&q.events, event{at: q.now + max(d, 0), made: q.made, do: do})
}

// step runs the next event; false says that there is none before end, which is
// the time then.
func (q *queue) step(end time.Duration) bool {
	if len(q.events) == 0 || q.events[0].at > end {
		q.now = end
		return false
	}
	e := heap.Pop(&q.events).(event)
	q.now = e.at
	e.do()
	return true
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }

func (h eventHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].made < h[j].made
}

func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *eventHeap) Push(x any) { *h = append(*h, x.(event)) }

func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = event{} // what it refers to may go
	*h = (*h)[:last]
	return e
}
