package model

import (
	"cmp"
	"time"
)

// HLC is a hybrid logical clock reading: 48 bits of milliseconds since 1970
// and 16 bits of counter, so that later readings compare greater.
type HLC uint64

// NewHLC gives the lowest reading at t.
func NewHLC(t time.Time) HLC { return HLC(t.UnixMilli()) << 16 }

// Time gives the wall clock part of h.
func (h HLC) Time() time.Time { return time.UnixMilli(int64(h >> 16)) }

// BatchID names a batch for ever: the node that stamped it (an id never used
// twice), 64 random bits drawn at that node's start, and a counter from 1 per
// epoch and shard.
type BatchID struct {
	Origin uint64
	Epoch  uint64
	Seq    uint64
}

// Compare orders ids by origin, epoch and counter.
func (id BatchID) Compare(o BatchID) int {
	return cmp.Or(cmp.Compare(id.Origin, o.Origin), cmp.Compare(id.Epoch, o.Epoch), cmp.Compare(id.Seq, o.Seq))
}

// Version orders batches: of two values for one cell the one with the greater
// version is the value, on every replica, in whatever order they arrived.
type Version struct {
	HLC HLC
	ID  BatchID
}

// Compare orders versions by clock, ties by batch id.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.HLC, o.HLC), v.ID.Compare(o.ID))
}

// Less reports whether v comes before o.
func (v Version) Less(o Version) bool { return v.Compare(o) < 0 }
