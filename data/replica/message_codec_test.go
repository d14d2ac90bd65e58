package replica

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/varvedb/varve/model"
)

func message() *Message {
	set := &model.BatchSet{}
	for seq := range uint64(5) {
		set.Add(model.BatchID{Origin: 1, Epoch: 7, Seq: seq + 1})
		set.Add(model.BatchID{Origin: 2, Epoch: 8, Seq: 2*seq + 1})
	}
	return &Message{
		From: Self{1, 2}, To: 3, ToStart: 4, Number: 5, Got: 6, Ping: time.Second, Echo: time.Minute,
		Clock: 1 << 50, Cutoff: 1 << 49,
		Statements: []Statement{{Shard: 3, Revision: 9, Floor: 1 << 48, Set: set}, {Shard: 8, Revision: 1, Floor: 1 << 49, Set: &model.BatchSet{}}},
	}
}

func TestMessageSurvivesItsBinaryForm(t *testing.T) {
	want := message()
	got, err := DecodeMessage(AppendMessage(nil, want))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b *model.BatchSet) bool { return a.Equal(b) })); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add(AppendMessage(nil, message()))
	f.Add([]byte{messageFormat})
	f.Add([]byte{9})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessage(b)
		if err != nil {
			if !errors.Is(err, model.ErrCorrupt) && !errors.Is(err, model.ErrNotSupported) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		n, err := New(Self{Node: m.To, Start: 1}, DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		n.Receive(Time{HLC: 1, Mono: 1}, m)
		n.Receive(Time{HLC: 1, Mono: 1}, m)
		n.Tell(Time{HLC: 1, Mono: 1}, m.From.Node)
	})
}
