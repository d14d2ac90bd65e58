package meta

import (
	"reflect"
	"testing"
)

// What is in etcd of the controller's work is understood or refused, and what
// was understood is written the same way.
func FuzzApplyControl(f *testing.F) {
	k := newKeyspace("varve")
	for key, value := range map[string]string{
		k.move(7):     `{"format":1,"shard":7,"to":2,"from":1,"why":"rebalance","started":"2026-11-22T01:02:03Z"}`,
		k.move(8):     `{"format":1,"shard":8,"why":"by hand","started":"2026-11-22T01:02:03Z"}`,
		k.extra(7):    `{"format":1,"shard":7,"owners":2}`,
		k.absent(3):   `{"format":1,"node":3,"since":"2026-11-22T01:02:03Z"}`,
		k.absent(4):   `{"format":2,"node":4}`,
		k.rebalance(): `{"format":1,"started":"2026-11-22T01:02:03Z","round":1,"moves":[{"shard":7,"from":1,"to":2,"bytes":3}]}`,
	} {
		f.Add(key, []byte(value))
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		b := newBuilder(k)
		err := b.apply(Change{Item: Item{Key: key, Value: value, Modified: 7}})
		s := b.snapshot()
		if err != nil {
			if !reflect.DeepEqual(s.control, controlState{}) {
				t.Errorf("refused with %v, and yet applied: %+v", err, s.control)
			}
			return
		}
		for _, m := range s.Moves() {
			again, err := decodeMove(encode(moveToRecord(m)))
			if err != nil || !again.Started.Equal(m.Started) || again.To != m.To || again.From != m.From || again.Why != m.Why {
				t.Errorf("%+v came back as %+v, %v", *m, again, err)
			}
		}
		if err := b.apply(Change{Item: Item{Key: key}, Removed: true}); err != nil {
			return // the identity of the cluster stays
		}
		if left := b.snapshot().control; len(left.moves)+len(left.extra)+len(left.absent) > 0 || left.rebalance != nil {
			t.Errorf("removed, and yet there: %+v", left)
		}
	})
}
