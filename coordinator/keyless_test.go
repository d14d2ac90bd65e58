package coordinator

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/model"
)

// forgetful is an owner that has the keys it was sent until it forgets them.
type forgetful struct {
	mu   sync.Mutex
	keys map[model.SeriesHash]bool
	sent []bool // of each batch that came: with keys
}

func (o *forgetful) write(_ context.Context, _ data.ShardRef, b *model.Batch) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, b.Series[0].Key != nil)
	for _, s := range b.Series {
		if s.Key == nil && !o.keys[s.Hash] {
			return model.ErrNeedKeys
		}
		o.keys[s.Hash] = true
	}
	return nil
}

func (o *forgetful) came() []bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	came := o.sent
	o.sent = nil
	return came
}

func TestOtherOwnersAreSentKeysUntilTheyHaveThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		local := &forgetful{keys: map[model.SeriesHash]bool{}}
		other := &forgetful{keys: map[model.SeriesHash]bool{}}
		c := newCluster(t, DefaultConfig(), &peer{write: local.write}, &peer{write: other.write})
		write := func(want ...bool) {
			t.Helper()
			if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), All); err != nil {
				t.Fatal(err)
			}
			got := other.came()
			if len(got) != len(want) {
				t.Fatalf("batches came with keys %v, want %v", got, want)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("batches came with keys %v, want %v", got, want)
				}
			}
		}
		write(true)
		write(false)
		clear(other.keys)
		write(false, true)
		write(true) // where one was missing another may be
		time.Sleep(keysAfterAsked)
		write(false)
		for _, keys := range local.came() {
			if !keys {
				t.Error("the owner in this process got a batch without keys, which saves nothing")
			}
		}
		c.writer.Close()
	})
}

func TestPlacesWithoutKeysAreBounded(t *testing.T) {
	var k keyless
	for i := range uint64(3 * maxKeyPlaces) {
		k.taken(keyPlace{node: 1, shard: i})
	}
	if n := len(k.after); n > maxKeyPlaces {
		t.Errorf("%d owners are remembered, want at most %d", n, maxKeyPlaces)
	}
}
