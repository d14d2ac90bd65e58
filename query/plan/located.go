package plan

import "github.com/varvedb/varve/model"

// Asked is the shards that were asked which measurements they have.
type Asked struct {
	places   map[uint64]int // by uid
	answered model.Bitmap
}

// NewAsked gives an Asked of shards of which none has answered. Bitmaps speak of
// them by their place in ids.
func NewAsked(ids []uint64) *Asked {
	a := &Asked{places: make(map[uint64]int, len(ids)), answered: model.NewBitmap(len(ids))}
	for i, id := range ids {
		a.places[id] = i
	}
	return a
}

// Answer notes that a shard has answered.
func (a *Asked) Answer(place int) { a.answered.Set(place) }

// Located is which shards have a measurement. A nil one is not known.
type Located struct {
	Asked *Asked
	Has   model.Bitmap
}

// Lacks reports whether a shard has said that it does not have the measurement.
// One that was not asked, or made since, has not.
func (l *Located) Lacks(shard uint64) bool {
	if l == nil {
		return false
	}
	i, ok := l.Asked.places[shard]
	return ok && l.Asked.answered.Get(i) && !l.Has.Get(i)
}
