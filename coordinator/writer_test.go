package coordinator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

type row = map[string]any

func TestRowsGoToTheShardsOfTheirTimes(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	now := time.Now()
	b := batch([]row{{"v": 1.0}, {"v": 2.0}, {"w": "x"}, {"v": 4.0}},
		now, now.Add(-60*24*time.Hour), now, now.Add(-400*24*time.Hour))
	released := 0
	err := c.writer.Write(t.Context(), WriteRequest{Database: "db", Batch: b, Release: func() { released++ }})
	if err != nil {
		t.Fatalf("Write gave %v", err)
	}
	c.writer.Close()
	if released != 1 {
		t.Errorf("batch released %d times, want once", released)
	}
	rows := 0
	seen := make(map[model.BatchID]bool)
	for shard, batches := range c.peers[0].batches {
		g, _ := c.store.Snapshot().Shard(shard)
		for _, b := range batches {
			if r := b.Range(); !g.Range().Covers(r) {
				t.Errorf("shard of %v got rows of %v", g.Range(), r)
			}
			if b.ID.Seq != 1 || b.Version.ID != b.ID || b.Version.HLC == 0 || seen[b.ID] && len(c.peers[0].batches) == 1 {
				t.Errorf("shard %d got batch %v with version %v", shard, b.ID, b.Version)
			}
			rows += b.Rows()
		}
	}
	if rows != 4 || len(c.peers[0].batches) != 3 {
		t.Errorf("%d rows in %d shards, want 4 in 3", rows, len(c.peers[0].batches))
	}
}

func TestAWriteThatIsSpreadTooFarMakesNoGroups(t *testing.T) {
	cfg := DefaultConfig()
	cfg.GroupsPerWrite = 10
	p := new(peer)
	c := newCluster(t, cfg, p)
	now := time.Now()
	rows := func(weeks int) *model.Batch {
		values := make([]map[string]any, weeks)
		times := make([]time.Time, weeks)
		for i := range values {
			values[i] = map[string]any{"v": 1.0}
			times[i] = now.AddDate(0, 0, -7*i)
		}
		return batch(values, times...)
	}
	before := len(groups(c))
	if err := c.write(t, rows(11), Default); !errors.Is(err, model.ErrTooLarge) {
		t.Errorf("a write to 11 groups gave %v, want %v", err, model.ErrTooLarge)
	}
	if n := len(groups(c)); n != before {
		t.Errorf("the refused write made %d groups", n-before)
	}
	if err := c.write(t, rows(10), Default); err != nil {
		t.Errorf("a write to 10 groups gave %v", err)
	}
}

// slowKV takes its time for each transaction, and any number at a time, as etcd
// does for a sync.
type slowKV struct {
	meta.KV
	txn time.Duration
}

func (s *slowKV) Txn(ctx context.Context, when []meta.Condition, ops []meta.Op) (bool, int64, error) {
	time.Sleep(s.txn)
	return s.KV.Txn(ctx, when, ops)
}

func TestAWriteToManyNewGroupsSharesTheSyncsOfTheMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClusterOn(t, &slowKV{metatest.NewMemory(), 10 * time.Millisecond}, DefaultConfig(), new(peer))
		const weeks = 1000
		values := make([]map[string]any, weeks)
		times := make([]time.Time, weeks)
		for i := range values {
			values[i] = map[string]any{"v": 1.0}
			times[i] = time.Now().AddDate(0, 0, -7*i)
		}
		began := time.Now()
		if err := c.write(t, batch(values, times...), Default); err != nil {
			t.Fatalf("write gave %v after %v", err, time.Since(began))
		}
		if n := len(groups(c)); n != weeks {
			t.Errorf("%d groups, want %d", n, weeks)
		}
		// One after the other the groups alone would take ten seconds.
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the write took %v", took)
		}
	})
}

func TestAWriteThatIsTriedAgainGetsFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.WriteTimeout = 100 * time.Millisecond
		c := newClusterOn(t, &slowKV{metatest.NewMemory(), 10 * time.Millisecond}, cfg, new(peer))
		const weeks = 500
		values := make([]map[string]any, weeks)
		times := make([]time.Time, weeks)
		for i := range values {
			values[i] = map[string]any{"v": 1.0}
			times[i] = time.Now().AddDate(0, 0, -7*i)
		}
		tries := 1
		for ; tries <= 10; tries++ {
			err := c.write(t, batch(values, times...), Default)
			if err == nil {
				break
			}
			if !errors.Is(err, model.ErrUnavailable) {
				t.Fatalf("try %d gave %v", tries, err)
			}
		}
		if tries < 2 || tries > 10 {
			t.Errorf("done after %d tries", tries)
		}
	})
}

// groups gives the shard groups of the default policy.
func groups(c *cluster) []*meta.ShardGroup {
	s := c.store.Snapshot()
	d := s.Database("db")
	return s.Groups(d.Policy(d.DefaultPolicy).UID, model.AllTime)
}

func TestAWriteOutOfTimeSendsNoMoreParts(t *testing.T) {
	cfg := DefaultConfig()
	cfg.WriteTimeout = 50 * time.Millisecond
	free := make(chan struct{})
	var sent atomic.Int64
	p := &peer{write: func(context.Context, data.ShardRef, *model.Batch) error {
		sent.Add(1)
		<-free
		return nil
	}}
	c := newCluster(t, cfg, p)
	defer close(free)
	const parts = 4 * partsAtOnce
	values := make([]map[string]any, parts)
	times := make([]time.Time, parts)
	for i := range values {
		values[i] = map[string]any{"v": 1.0}
		times[i] = time.Now().AddDate(0, 0, -7*i)
	}
	if err := c.write(t, batch(values, times...), Default); !errors.Is(err, model.ErrUnavailable) {
		t.Fatalf("write gave %v, want %v", err, model.ErrUnavailable)
	}
	if n := sent.Load(); n > partsAtOnce {
		t.Errorf("%d parts were sent, want %d at most: nobody waits for the others", n, partsAtOnce)
	}
}

func TestBatchesOfAShardAreCountedFromOne(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	for range 3 {
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), Default); err != nil {
			t.Fatal(err)
		}
	}
	var last model.Version
	for i, b := range c.peers[0].all() {
		if b.ID.Seq != uint64(i)+1 || !last.Less(b.Version) {
			t.Errorf("batch %d has id %v and version %v after %v", i, b.ID, b.Version, last)
		}
		last = b.Version
	}
}

func TestWhatCannotBeWrittenSaysSo(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	tests := []struct {
		database, policy, text string
		kind                   error
	}{
		{"", "", "database is required", model.ErrInvalid},
		{"zz", "", `database not found: "zz"`, model.ErrNotFound},
		{"db", "zz", "retention policy not found: zz", ErrPolicyNotFound},
	}
	for _, test := range tests {
		err := c.writer.Write(t.Context(), WriteRequest{Database: test.database, Policy: test.policy, Batch: batch([]row{{"v": 1.0}}, time.Now())})
		if !errors.Is(err, test.kind) || err.Error() != test.text {
			t.Errorf("write to %q.%q gave %v, want %q", test.database, test.policy, err, test.text)
		}
	}
	if got := c.peers[0].all(); len(got) > 0 {
		t.Errorf("%d batches were sent", len(got))
	}
}

func TestRowsOlderThanThePolicyAreDropped(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	hour := time.Hour
	if err := c.store.CreatePolicy(t.Context(), "db", meta.PolicySpec{Name: "short", Duration: &hour}, true); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	err := c.write(t, batch([]row{{"v": 1.0}, {"v": 2.0}, {"v": 3.0}}, now.Add(-2*hour), now, now.Add(-100*hour)), Default)
	if err == nil || err.Error() != "partial write: points beyond retention policy dropped=2" || !errors.Is(err, model.ErrInvalid) {
		t.Errorf("Write gave %v", err)
	}
	if got := c.peers[0].all(); len(got) != 1 || got[0].Rows() != 1 {
		t.Errorf("sent %v, want the one row that is young enough", got)
	}
	err = c.write(t, batch([]row{{"v": 1.0}}, now.Add(-2*hour)), Default)
	if err == nil || err.Error() != "partial write: points beyond retention policy dropped=1" {
		t.Errorf("Write of old rows alone gave %v", err)
	}
}

func TestRowsOfAnotherTypeAreDropped(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	now := time.Now()
	if err := c.write(t, batch([]row{{"v": 1.0}}, now), Default); err != nil {
		t.Fatal(err)
	}
	err := c.write(t, batch([]row{{"v": int64(1)}, {"v": 2.0}, {"w": true}}, now, now, now), Default)
	want := `partial write: field type conflict: input field "v" on measurement "m" is type integer, already exists as type float dropped=1`
	if err == nil || err.Error() != want {
		t.Errorf("Write gave %v, want %s", err, want)
	}
	if got := c.peers[0].all(); len(got) != 2 || got[1].Rows() != 2 {
		t.Errorf("sent %v, want the two rows that fit", got)
	}
	// A type is agreed for a shard group: another may have another.
	if err := c.write(t, batch([]row{{"v": int64(1)}}, now.Add(-90*24*time.Hour)), Default); err != nil {
		t.Errorf("Write of another type to another group gave %v", err)
	}
	// Two tables of one measurement count as one.
	b := batch([]row{{"x": 1.0}}, now)
	more := cells(row{"x": int64(1)}, row{"x": 2.0})
	more.Times = []int64{now.UnixNano(), now.UnixNano()}
	b.Tables = append(b.Tables, more)
	err = c.write(t, b, Default)
	want = `partial write: field type conflict: input field "x" on measurement "m" is type integer, already exists as type float dropped=1`
	if err == nil || err.Error() != want {
		t.Errorf("Write gave %v, want %s", err, want)
	}
}

func TestJoinedRowsAreRefusedBeforeAnyIsStored(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	now := time.Now()
	write := func(joined bool, b *model.Batch) error {
		return c.writer.Write(t.Context(), WriteRequest{Database: "db", Batch: b, Joined: joined})
	}
	if err := write(true, batch([]row{{"v": 1.0, "w": 1.0}}, now)); err != nil {
		t.Fatal(err)
	}
	// x would be new for the first row, which is refused, and y for the second.
	rows := []row{{"v": "text", "x": 1.0}, {"v": 2.0, "x": "text", "y": 1.0}}
	if err := write(true, batch(rows, now, now)); !errors.Is(err, ErrJoined) {
		t.Errorf("joined rows of which one is in conflict gave %v", err)
	}
	for _, batches := range c.peers[0].batches {
		if len(batches) != 1 {
			t.Errorf("%d batches were sent, want 1", len(batches))
		}
		g := groups(c)[0]
		if fields := c.store.Snapshot().Fields(g.ID, "m"); len(fields) != 2 {
			t.Errorf("fields are %v, want those of the first write", fields)
		}
	}
	var partial *PartialWriteError
	if err := write(false, batch(rows, now, now)); !errors.As(err, &partial) || partial.Dropped != 1 {
		t.Errorf("the same rows, each a point, gave %v", err)
	}
}

func TestJoinedRowsThatAreTooOldAreRefused(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	hour := time.Hour
	if err := c.store.CreatePolicy(t.Context(), "db", meta.PolicySpec{Name: "short", Duration: &hour}, true); err != nil {
		t.Fatal(err)
	}
	b := batch([]row{{"v": 1.0}, {"v": 2.0}}, time.Now(), time.Now().Add(-48*time.Hour))
	err := c.writer.Write(t.Context(), WriteRequest{Database: "db", Batch: b, Joined: true})
	if !errors.Is(err, ErrJoined) || len(c.peers[0].batches) != 0 {
		t.Errorf("Write gave %v, %d shards have batches", err, len(c.peers[0].batches))
	}
}

// Lines of one field each make a table for each field.
func TestNewFieldsOfManyTablesAreAgreedTogether(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	now := time.Now()
	if err := c.write(t, batch([]row{{"v": 1.0}}, now), Default); err != nil {
		t.Fatal(err) // which makes the group
	}
	before := c.store.Snapshot().Revision()
	b := batch([]row{{"f": 1.0}}, now)
	for i := range 100 {
		more := cells(row{fmt.Sprintf("f%d", i): int64(i)})
		more.Times = []int64{now.UnixNano()}
		b.Tables = append(b.Tables, more)
	}
	if err := c.write(t, b, Default); err != nil {
		t.Fatal(err)
	}
	if n := c.store.Snapshot().Revision() - before; n != 1 {
		t.Errorf("101 fields took %d transactions, want 1", n)
	}
}

func TestATypeCopiedFromTheGroupBeforeYieldsToTheFirstUse(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	now := time.Now()
	if err := c.write(t, batch([]row{{"v": 1.0}}, now), Default); err != nil {
		t.Fatal(err)
	}
	_, p, err := c.store.Policy(t.Context(), "db", "")
	if err != nil {
		t.Fatal(err)
	}
	next, err := c.store.Succeed(t.Context(), meta.Fence{}, c.store.Snapshot().Group(p.UID, now.UnixNano()).ID)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Unix(0, next.Start)
	if err := c.write(t, batch([]row{{"v": int64(1)}}, later), Default); err != nil {
		t.Errorf("first write of another type to the next group gave %v", err)
	}
	if err := c.write(t, batch([]row{{"v": 1.0}}, later), Default); err == nil {
		t.Error("second type in the next group was taken")
	}
}

func TestLevelsAreMetOrTheWriteFails(t *testing.T) {
	down := func(context.Context, data.ShardRef, *model.Batch) error { return model.ErrReadOnly }
	tests := []struct {
		down  []bool
		level Level
		fails string
	}{
		{[]bool{false, false, false}, All, ""},
		{[]bool{true, false, false}, All, "of 3 (not stored by a)"},
		{[]bool{true, false, false}, Quorum, ""},
		{[]bool{false, true, true}, Quorum, "of 2 (not stored by b, c)"},
		{[]bool{true, true, false}, One, ""},
		{[]bool{true, true, true}, One, "write consistency not met: acked 0 of 1 (not stored by a, b, c)"},
		{[]bool{true, true, true}, Any, "write consistency not met"},
	}
	for _, test := range tests {
		var peers []*peer
		for _, d := range test.down {
			p := &peer{}
			if d {
				p.write = down
			}
			peers = append(peers, p)
		}
		c := newCluster(t, DefaultConfig(), peers...)
		err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), test.level)
		switch {
		case test.fails == "" && err != nil:
			t.Errorf("%v down, level %d: %v", test.down, test.level, err)
		case test.fails != "" && (!errors.Is(err, model.ErrUnavailable) || !contains(err, test.fails)):
			t.Errorf("%v down, level %d: %v, want %q", test.down, test.level, err, test.fails)
		}
		for _, word := range []string{"partial write", "unable to parse", "not found", "hinted handoff"} {
			if contains(err, word) {
				t.Errorf("%v: Telegraf drops a batch on %q", err, word)
			}
		}
	}
}

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func TestASlowOwnerDelaysNobody(t *testing.T) {
	hang := make(chan struct{})
	slow := &peer{write: func(context.Context, data.ShardRef, *model.Batch) error { <-hang; return nil }}
	c := newCluster(t, DefaultConfig(), &peer{}, slow)
	released := make(chan struct{})
	err := c.writer.Write(t.Context(), WriteRequest{
		Database: "db", Batch: batch([]row{{"v": 1.0}}, time.Now()), Level: One,
		Release: func() { close(released) },
	})
	if err != nil {
		t.Fatalf("Write gave %v", err)
	}
	select {
	case <-released:
		t.Error("the batch was released while an owner reads it")
	default:
	}
	close(hang)
	<-released
}

func TestAWriteEndsInTimeThoughNoOwnerAnswers(t *testing.T) {
	hang := make(chan struct{})
	stuck := &peer{write: func(context.Context, data.ShardRef, *model.Batch) error { <-hang; return nil }}
	cfg := DefaultConfig()
	cfg.WriteTimeout = 50 * time.Millisecond
	c := newCluster(t, cfg, stuck)
	err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), Default)
	if !errors.Is(err, model.ErrUnavailable) || err.Error() != "timeout" {
		t.Errorf("Write gave %v, want a timeout", err)
	}
	close(hang)
}

func TestAnOverloadedOwnerIsToldAsSuch(t *testing.T) {
	full := &peer{write: func(context.Context, data.ShardRef, *model.Batch) error { return model.ErrOverloaded }}
	c := newCluster(t, DefaultConfig(), full)
	if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), Default); !errors.Is(err, model.ErrOverloaded) {
		t.Errorf("Write gave %v, want ErrOverloaded", err)
	}
}

func TestBatchThatAllOwnersFindStaleIsStampedAgain(t *testing.T) {
	first := make(map[model.BatchID]bool)
	var mu sync.Mutex
	stale := func(_ context.Context, _ data.ShardRef, b *model.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		if len(first) == 0 || first[b.ID] {
			first[b.ID] = true
			return model.ErrStale
		}
		return nil
	}
	c := newCluster(t, DefaultConfig(), &peer{write: stale}, &peer{write: stale})
	if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), All); err != nil {
		t.Errorf("Write gave %v, want it stored with another stamp", err)
	}
	always := func(context.Context, data.ShardRef, *model.Batch) error { return model.ErrStale }
	c = newCluster(t, DefaultConfig(), &peer{write: always})
	if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), One); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("Write to an owner that finds all stale gave %v, want ErrUnavailable", err)
	}
	// One owner may hold it: it must not get a second id.
	held := &peer{}
	c = newCluster(t, DefaultConfig(), held, &peer{write: always})
	if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), All); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("Write to a stale and a good owner at all gave %v, want ErrUnavailable", err)
	}
	c.writer.Close()
	if n := len(held.all()); n != 1 {
		t.Errorf("the good owner has %d batches, want 1", n)
	}
}

func TestDeletesGoToEveryShardInTheirRange(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	now := time.Now()
	old := now.Add(-365 * 24 * time.Hour)
	for _, at := range []time.Time{now, old} {
		if err := c.write(t, batch([]row{{"v": 1.0}}, at), Default); err != nil {
			t.Fatal(err)
		}
	}
	where := model.IsMeasurement("m")
	for i, test := range []struct {
		r    model.TimeRange
		want int
	}{
		{model.AllTime, 2},
		{model.TimeRange{Min: old.UnixNano(), Max: old.UnixNano()}, 1},
		{model.TimeRange{Min: 0, Max: 1}, 0},
	} {
		before := len(c.peers[0].all())
		shards := []query.Shards{{Database: "db", Policy: "autogen", Range: test.r}}
		if err := c.reader.Delete(t.Context(), shards, &model.Delete{Where: where, Range: test.r}); err != nil {
			t.Fatalf("Delete gave %v", err)
		}
		got := c.peers[0].all()[before:]
		if len(got) != test.want {
			t.Errorf("delete %d went to %d shards, want %d", i, len(got), test.want)
		}
		for _, b := range got {
			if b.Delete == nil || b.Delete.Where != where || b.Version.HLC == 0 {
				t.Errorf("delete %d was sent as %v", i, b)
			}
		}
	}
}

func TestADroppedMeasurementMayBeginWithOtherTypes(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	now := time.Now()
	if err := c.write(t, batch([]row{{"v": 1.0}}, now), Default); err != nil {
		t.Fatal(err)
	}
	shards := []query.Shards{{Database: "db", Policy: "autogen", Range: model.AllTime}}
	tagged := &model.Predicate{Op: model.Equal, Key: "t", Value: "m"}
	if err := c.reader.Delete(t.Context(), shards, &model.Delete{Where: tagged, Range: model.AllTime}); err != nil {
		t.Fatal(err)
	}
	if err := c.write(t, batch([]row{{"v": "text"}}, now), Default); err == nil {
		t.Error("another type was taken though only some series were deleted")
	}
	if err := c.reader.Delete(t.Context(), shards, &model.Delete{Where: model.IsMeasurement("m"), Range: model.AllTime}); err != nil {
		t.Fatal(err)
	}
	if err := c.write(t, batch([]row{{"v": "text"}}, now), Default); err != nil {
		t.Errorf("another type after the measurement was dropped: %v", err)
	}
}
