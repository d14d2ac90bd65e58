package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
	"github.com/varvedb/varve/tsm"
)

// fakeNode answers with what its fields say, and notes what it was asked.
type fakeNode struct {
	shard    ShardRef
	read     ReadRef
	batch    *model.Batch
	heldBy   uint64
	fragment *plan.Fragment
	request  *exec.ListRequest
	where    *model.Predicate
	want     *model.BatchSet
	resume   []SnapshotFile
	message  *replica.Message
	limits   model.SeriesLimits
	series   []model.Series

	err     error
	scan    func(ctx context.Context, emit func(*exec.Partial) error) error
	list    *exec.List
	schema  []Measurement
	set     *model.BatchSet
	batches []*model.Batch
	parts   []SnapshotPart
	digest  tsm.Digest
	room    Room
}

func (n *fakeNode) Write(_ context.Context, shard ShardRef, b *model.Batch, heldBy uint64) error {
	n.shard, n.batch, n.heldBy = shard, b, heldBy
	return n.err
}

func (n *fakeNode) Scan(ctx context.Context, ref ReadRef, f *plan.Fragment, emit func(*exec.Partial) error) error {
	n.read, n.fragment = ref, f
	return n.scan(ctx, emit)
}

func (n *fakeNode) List(_ context.Context, ref ReadRef, q *exec.ListRequest) (*exec.List, error) {
	n.read, n.request = ref, q
	return n.list, n.err
}

func (n *fakeNode) Schema(_ context.Context, ref ReadRef, where *model.Predicate) ([]Measurement, error) {
	n.read, n.where = ref, where
	return n.schema, n.err
}

func (n *fakeNode) Applied(_ context.Context, shard ShardRef) (*model.BatchSet, error) {
	n.shard = shard
	return n.set, n.err
}

func (n *fakeNode) Room(_ context.Context, shard ShardRef, limits model.SeriesLimits, series []model.Series) (Room, error) {
	n.shard, n.limits, n.series = shard, limits, series
	return n.room, n.err
}

func (n *fakeNode) Tell(_ context.Context, m *replica.Message) (*replica.Message, error) {
	was := n.message
	n.message = m
	return was, n.err
}

func (n *fakeNode) Fetch(_ context.Context, shard ShardRef, want *model.BatchSet, emit func(*model.Batch) error) (*model.BatchSet, error) {
	n.shard, n.want = shard, want
	for _, b := range n.batches {
		if err := emit(b); err != nil {
			return nil, err
		}
	}
	return n.set, n.err
}

func (n *fakeNode) Snapshot(_ context.Context, shard ShardRef, resume []SnapshotFile, emit func(SnapshotPart) error) error {
	n.shard, n.resume = shard, resume
	for _, p := range n.parts {
		if err := emit(p); err != nil {
			return err
		}
	}
	return n.err
}

func (n *fakeNode) Offer(_ context.Context, shard ShardRef, b *model.Batch) error {
	n.shard, n.batch = shard, b
	return n.err
}

func (n *fakeNode) Digest(_ context.Context, shard ShardRef) (tsm.Digest, error) {
	n.shard = shard
	return n.digest, n.err
}

// connect serves n and gives the way to it of the node with id 2.
func connect(t testing.TB, n served) *Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s, err := rpc.NewServer(rpc.DefaultConfig(), rpc.Identity{Cluster: "c", Node: 1}, nil, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	Serve(s, n)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	pool, err := rpc.NewPool(rpc.DefaultConfig(), rpc.Identity{Cluster: "c", Node: 2}, nil, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool.Close()
		s.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve gave %v", err)
		}
	})
	return NewClient(pool.Conn(l.Addr().String()))
}

var someShard = ShardRef{Database: 1, Policy: 2, Group: 3, Shard: 1 << 40, Revision: 5}

func someBatch(seq uint64, rows int) *model.Batch {
	id := model.BatchID{Origin: 1, Epoch: math.MaxUint64, Seq: seq}
	b := &model.Batch{
		ID: id, Version: model.Version{HLC: 7, ID: id},
		Series: []model.Series{{Hash: model.SeriesHash{Hi: 1, Lo: 2}, Key: []byte("m,t=a")}},
		Tables: []model.Table{{Measurement: "m", Series: make([]uint32, rows), Times: make([]int64, rows)}},
	}
	c := model.Column{Field: model.Field{Name: "v", Type: model.Float}, Bits: make([]uint64, rows)}
	for i := range c.Bits {
		b.Tables[0].Times[i], c.Bits[i] = int64(i)*1e9, math.Float64bits(float64(i)/3)
	}
	b.Tables[0].Columns = []model.Column{c}
	return b
}

func sameBatch(t *testing.T, what string, got, want *model.Batch) {
	t.Helper()
	if got == nil || !bytes.Equal(model.AppendBatch(nil, got), model.AppendBatch(nil, want)) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func TestClientWrites(t *testing.T) {
	n := &fakeNode{}
	c := connect(t, n)
	b := someBatch(1, 100)
	for range 2 { // as it is, and packed
		if err := c.Write(t.Context(), someShard, b, 9); err != nil || n.shard != someShard || n.heldBy != 9 {
			t.Errorf("Write gave %v; it was of %+v, held by %d", err, n.shard, n.heldBy)
		}
		sameBatch(t, "Write", n.batch, b)
		if n.batch.PackedBytes() == 0 {
			t.Error("the log would have to pack what has come packed")
		}
		b.Pack()
	}
	del := &model.Batch{ID: b.ID, Delete: &model.Delete{Range: model.AllTime, Where: model.IsMeasurement("m")}}
	if err := c.Write(t.Context(), someShard, del, 0); err != nil || n.heldBy != 0 {
		t.Errorf("a delete gave %v", err)
	}
	sameBatch(t, "delete", n.batch, del)
}

func TestErrorsOfANodeKeepTheirKind(t *testing.T) {
	n := &fakeNode{}
	c := connect(t, n)
	for _, kind := range []error{model.ErrNeedKeys, model.ErrStale, model.ErrMoved, model.ErrBehind, model.ErrUnavailable, model.ErrOverloaded} {
		n.err = fmt.Errorf("somewhere: %w", kind)
		n.scan = func(context.Context, func(*exec.Partial) error) error { return n.err }
		if err := c.Write(t.Context(), someShard, someBatch(1, 1), 0); !errors.Is(err, kind) {
			t.Errorf("Write gave %v, want %v", err, kind)
		}
		if err := c.Scan(t.Context(), ReadRef{}, &plan.Fragment{}, nil); !errors.Is(err, kind) {
			t.Errorf("Scan gave %v, want %v", err, kind)
		}
		if _, err := c.Fetch(t.Context(), someShard, &model.BatchSet{}, nil); !errors.Is(err, kind) {
			t.Errorf("Fetch gave %v, want %v", err, kind)
		}
	}
}

// counts is a fragment that counts by a tag and windows.
var counts = &plan.Fragment{
	Measurement: "m", Range: model.AllTime,
	Fields: []model.Field{{Name: "v", Type: model.Float}}, Inputs: []plan.Source{{Type: model.Float, Fields: []int{0}}},
	GroupBy: []string{"t"}, Window: plan.Window{Every: 10},
	Aggregates: []plan.Aggregate{{Function: function.Count, Input: 0}},
}

func countsOf(group string, windows int) *exec.Partial {
	p := &exec.Partial{Group: []string{group}, Columns: []model.Column{{Field: model.Field{Type: model.Integer}}}}
	for i := range windows {
		p.Times = append(p.Times, int64(i)*10)
		p.Columns[0].Bits = append(p.Columns[0].Bits, uint64(i)*0x9e3779b97f4a7c15)
	}
	return p
}

func TestClientScans(t *testing.T) {
	var want []*exec.Partial
	for i := range 3000 {
		want = append(want, countsOf(fmt.Sprint(i), 1+i%3))
	}
	want = append(want, countsOf("large", 300_000)) // 2.4 MB
	n := &fakeNode{scan: func(_ context.Context, emit func(*exec.Partial) error) error {
		for _, p := range want {
			if err := emit(p); err != nil {
				return err
			}
		}
		return nil
	}}
	c := connect(t, n)
	ref := ReadRef{ShardRef: someShard, Stale: true, Holds: &model.BatchSet{}}
	ref.Holds.Add(someBatch(4, 0).ID)
	var got []*exec.Partial
	err := c.Scan(t.Context(), ref, counts, func(p *exec.Partial) error {
		got = append(got, p)
		return nil
	})
	if err != nil || len(got) != len(want) {
		t.Fatalf("Scan gave %d partials, %v, want %d", len(got), err, len(want))
	}
	for i := range want {
		if !slices.Equal(got[i].Group, want[i].Group) || !slices.Equal(got[i].Times, want[i].Times) || !slices.Equal(got[i].Columns[0].Bits, want[i].Columns[0].Bits) {
			t.Fatalf("partial %d is of group %q and %d windows", i, got[i].Group, len(got[i].Times))
		}
	}
	if !reflect.DeepEqual(n.fragment, counts) || n.read.ShardRef != someShard || !n.read.Stale || !n.read.Holds.Equal(ref.Holds) {
		t.Errorf("the node was asked for %+v of %+v", n.fragment, n.read)
	}
}

func TestClientGivesReports(t *testing.T) {
	f := *counts
	f.Report = plan.RunReport
	want := exec.Report{Shard: 3, Node: 2, Series: 5, Rows: 1000, Running: time.Second}
	n := &fakeNode{scan: func(_ context.Context, emit func(*exec.Partial) error) error {
		return errors.Join(emit(countsOf("x", 1)), emit(&exec.Partial{Report: &want}))
	}}
	var got []*exec.Report
	err := connect(t, n).Scan(t.Context(), ReadRef{ShardRef: someShard}, &f, func(p *exec.Partial) error {
		if p.Report != nil {
			got = append(got, p.Report)
		}
		return nil
	})
	if err != nil || len(got) != 1 || *got[0] != want {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFramesAreNeitherManyNorLarge(t *testing.T) {
	n := &fakeNode{scan: func(_ context.Context, emit func(*exec.Partial) error) error {
		for range 20_000 {
			if err := emit(countsOf("x", 1)); err != nil {
				return err
			}
		}
		return emit(countsOf("large", 1_000_000))
	}}
	frames, total := 0, 0
	req := plan.AppendFragment(appendReadRef(nil, ReadRef{}), counts)
	err := server{n}.scan(t.Context(), rpc.Caller{}, req, func(b []byte) error {
		frames++
		total += len(b)
		if len(b) > 1<<20 {
			t.Errorf("frame of %d bytes", len(b))
		}
		return nil
	})
	if err != nil || frames > 200+total/fullBytes {
		t.Errorf("%d bytes came in %d frames, %v", total, frames, err)
	}
}

func TestPartialThatIsTooLargeIsRefused(t *testing.T) {
	n := &fakeNode{scan: func(_ context.Context, emit func(*exec.Partial) error) error {
		p := countsOf("x", 1)
		p.Columns[0].Text = make([]byte, exec.MaxPartialBytes) // counted, not looked at
		return emit(p)
	}}
	err := connect(t, n).Scan(t.Context(), ReadRef{}, counts, nil)
	var text *model.Error
	if !errors.As(err, &text) || !errors.Is(err, model.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge for clients", err)
	}
}

func TestScanEndsElsewhereWithItsCaller(t *testing.T) {
	ended := make(chan error, 1)
	n := &fakeNode{scan: func(ctx context.Context, emit func(*exec.Partial) error) error {
		if err := emit(countsOf("a", 100_000)); err != nil { // fills a frame, so it is sent
			return err
		}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}}
	c := connect(t, n)
	canceled := func() error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		return c.Scan(ctx, ReadRef{}, counts, func(*exec.Partial) error {
			cancel()
			return nil
		})
	}
	refused := func() error {
		return c.Scan(t.Context(), ReadRef{}, counts, func(*exec.Partial) error { return errors.New("enough") })
	}
	for name, run := range map[string]func() error{"canceled": canceled, "refused": refused} {
		start := time.Now()
		if err := run(); err == nil {
			t.Errorf("%s: Scan gave no error", name)
		}
		<-ended
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: the work went on for %v", name, took)
		}
	}
}

func TestClientLists(t *testing.T) {
	n := &fakeNode{list: &exec.List{}}
	for i := range 20_000 {
		n.list.Entries = append(n.list.Entries, exec.Entry{Measurement: "m", Key: fmt.Sprintf("m,host=%06d", i)})
	}
	c := connect(t, n)
	q := &exec.ListRequest{Kind: exec.ListSeries, Where: model.IsMeasurement("m"), Limit: 3}
	got, err := c.List(t.Context(), ReadRef{ShardRef: someShard}, q)
	if err != nil || !slices.Equal(got.Entries, n.list.Entries) {
		t.Errorf("List gave %d entries, %v", len(got.Entries), err)
	}
	if !reflect.DeepEqual(n.request, q) || n.read.ShardRef != someShard {
		t.Errorf("the node was asked for %+v of %+v", n.request, n.read)
	}
	n.list = &exec.List{}
	if got, err = c.List(t.Context(), ReadRef{}, q); err != nil || len(got.Entries) > 0 {
		t.Errorf("an empty list gave %v, %v", got, err)
	}
	n.list = &exec.List{Entries: []exec.Entry{{Key: strings.Repeat("k", 5<<20)}, {Key: "l"}, {Key: "m"}}}
	if got, err = c.List(t.Context(), ReadRef{}, q); err != nil || !slices.Equal(got.Entries, n.list.Entries) {
		t.Errorf("a list with a long text gave %d entries, %v", len(got.Entries), err)
	}
}

func TestClientReadsSchemaAppliedAndDigest(t *testing.T) {
	set := &model.BatchSet{}
	set.Add(someBatch(1, 0).ID)
	n := &fakeNode{
		set: set, digest: tsm.Digest{Applied: set, Rows: 5, Hash: [16]byte{1, 2}},
		schema: []Measurement{{Name: "a"}, {Name: "b", Fields: []model.Field{{Name: "v", Type: model.Float}}, Tags: []string{"t", "u"}}},
	}
	c := connect(t, n)
	if got, err := c.Schema(t.Context(), ReadRef{}, model.IsMeasurement("a")); err != nil || !reflect.DeepEqual(got, n.schema) || !n.where.Holds("a", nil) || n.where.Holds("b", nil) {
		t.Errorf("Schema gave %v, %v where %v", got, err, n.where)
	}
	if got, err := c.Applied(t.Context(), someShard); err != nil || !got.Equal(set) || n.shard != someShard {
		t.Errorf("Applied gave %v, %v", got, err)
	}
	n.room = Room{Left: 7, Refused: []RefusedSeries{{At: 1, Why: "too many"}}}
	series := []model.Series{{Hash: model.SeriesHash{Hi: 1, Lo: 2}, Key: []byte("m,t=a")}, {Hash: model.SeriesHash{Hi: 3}, Key: []byte("m")}}
	limits := model.SeriesLimits{Series: 5, ValuesPerTag: 6}
	if got, err := c.Room(t.Context(), someShard, limits, series); err != nil || !reflect.DeepEqual(got, n.room) || !reflect.DeepEqual(n.series, series) || n.limits != limits {
		t.Errorf("Room gave %+v, %v of %+v, %+v", got, err, n.limits, n.series)
	}
	if got, err := c.Room(t.Context(), someShard, limits, nil); err == nil {
		t.Errorf("Room took an answer about series that it had not asked about: %+v", got)
	}
	if d, err := c.Digest(t.Context(), someShard); err != nil || d.Rows != 5 || d.Hash != n.digest.Hash || !d.Applied.Equal(set) {
		t.Errorf("Digest gave %+v, %v", d, err)
	}
}

func TestNodeSpeaksForItselfOnly(t *testing.T) {
	n := &fakeNode{}
	c := connect(t, n)
	m := &replica.Message{From: replica.Self{Node: 2, Start: 3}, To: 1, Number: 4, Ping: time.Second}
	if answer, err := c.Tell(t.Context(), m); err != nil || answer != nil || n.message.Number != 4 {
		t.Errorf("Tell gave %v, %v; the node heard %+v", answer, err, n.message)
	}
	if answer, err := c.Tell(t.Context(), m); err != nil || answer == nil || answer.Number != 4 {
		t.Errorf("Tell gave %+v, %v", answer, err)
	}
	m.From.Node = 3
	if _, err := c.Tell(t.Context(), m); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("Tell for another node gave %v, want ErrInvalid", err)
	}
}

func TestClientFetchesAndOffers(t *testing.T) {
	set := &model.BatchSet{}
	set.Add(model.BatchID{Origin: 9, Epoch: 9, Seq: 9})
	n := &fakeNode{set: set}
	for i := range 5 {
		n.batches = append(n.batches, someBatch(uint64(i+1), 30_000*i))
	}
	c := connect(t, n)
	var got []*model.Batch
	trimmed, err := c.Fetch(t.Context(), someShard, set, func(b *model.Batch) error {
		got = append(got, b)
		return nil
	})
	if err != nil || !trimmed.Equal(set) || !n.want.Equal(set) || len(got) != len(n.batches) {
		t.Fatalf("Fetch gave %d batches and %v, %v", len(got), trimmed, err)
	}
	for i := range got {
		sameBatch(t, "Fetch", got[i], n.batches[i])
	}
	n.set, n.batches = nil, nil
	if trimmed, err = c.Fetch(t.Context(), someShard, set, nil); err != nil || trimmed == nil || !trimmed.Empty() {
		t.Errorf("an empty log gave %v, %v", trimmed, err)
	}
	if err := c.Offer(t.Context(), someShard, someBatch(8, 3)); err != nil || n.batch.ID.Seq != 8 {
		t.Errorf("Offer gave %v", err)
	}
}

func TestClientCopies(t *testing.T) {
	piece := func(name string, offset int64, b []byte) SnapshotPart {
		return SnapshotPart{Name: name, Offset: offset, Bytes: b, Sum: crc32.Checksum(b, castagnoli)}
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), MaxSnapshotPiece/16)
	n := &fakeNode{parts: []SnapshotPart{
		{Manifest: bytes.Repeat([]byte("m"), 3<<20), Files: []SnapshotFile{{Name: "1.seg", Size: 2 * MaxSnapshotPiece}, {Name: "2.seg"}}, Clock: 77},
		piece("1.seg", 0, large), piece("1.seg", MaxSnapshotPiece, large),
	}}
	c := connect(t, n)
	var got []SnapshotPart
	take := func(p SnapshotPart) error {
		p.Manifest, p.Bytes = append([]byte(nil), p.Manifest...), append([]byte(nil), p.Bytes...)
		got = append(got, p)
		return nil
	}
	resume := []SnapshotFile{{Name: "1.seg", Size: 5, Sum: 6}}
	if err := c.Snapshot(t.Context(), someShard, resume, take); err != nil || !reflect.DeepEqual(n.resume, resume) {
		t.Fatalf("Snapshot gave %v; the node was told %v", err, n.resume)
	}
	if !reflect.DeepEqual(got, n.parts) {
		t.Errorf("what came differs: %d parts, %d files", len(got), len(got[0].Files))
	}
	n.parts[2].Sum++
	if err := c.Snapshot(t.Context(), someShard, nil, take); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("a damaged piece gave %v, want ErrCorrupt", err)
	}
}

func TestStreamThatIsCutShortIsNoAnswer(t *testing.T) {
	var frames [][]byte
	w := newRecordWriter(func(b []byte) error {
		frames = append(frames, b)
		return nil
	})
	for i := range 5 {
		if err := w.write(func(dst []byte) []byte { return append(dst, make([]byte, i*100_000+1)...) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	stream := bytes.Join(frames, nil)
	r := seeded.Rand(t)
	for range 100 {
		cut := len(stream)
		if r.IntN(2) == 0 {
			cut = r.IntN(len(stream))
		}
		records := 0
		reader := recordReader{each: func(b []byte) error {
			if len(b) != records*100_000+1 {
				t.Errorf("record %d has %d bytes", records, len(b))
			}
			records++
			return nil
		}}
		for rest := stream[:cut]; len(rest) > 0; {
			n := min(1+r.IntN(300_000), len(rest))
			if err := reader.take(bytes.Clone(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := reader.done(); (err == nil) != (cut == len(stream)) || err == nil && records != 5 {
			t.Errorf("%d of %d bytes gave %d records and %v", cut, len(stream), records, err)
		}
	}
}

// FuzzRequests sends anything to all handlers.
func FuzzRequests(f *testing.F) {
	f.Add(wireWrite(someBatch(1, 3)))
	f.Add(plan.AppendFragment(appendReadRef(nil, ReadRef{ShardRef: someShard, Holds: &model.BatchSet{}}), counts))
	f.Add(exec.AppendListRequest(appendReadRef(nil, ReadRef{}), &exec.ListRequest{Kind: exec.ListSeries}))
	f.Add(model.AppendPredicate(appendReadRef(nil, ReadRef{}), model.IsMeasurement("m")))
	f.Add(appendSnapshotFiles(appendRef(nil, someShard), []SnapshotFile{{Name: "a", Size: 5}}))
	f.Add((&model.BatchSet{}).Append(appendRef(nil, someShard)))
	f.Fuzz(func(t *testing.T, req []byte) {
		v := server{&fakeNode{
			scan: func(context.Context, func(*exec.Partial) error) error { return nil },
			list: &exec.List{}, set: &model.BatchSet{}, digest: tsm.Digest{Applied: &model.BatchSet{}},
		}}
		for _, h := range []rpc.UnaryHandler{v.write, v.applied, v.tell, v.offer} {
			_, _ = h(t.Context(), rpc.Caller{}, bytes.Clone(req))
		}
		for _, h := range []rpc.StreamHandler{v.scan, v.list, v.schema, v.fetch, v.snapshot, v.digest} {
			_ = h(t.Context(), rpc.Caller{}, bytes.Clone(req), func([]byte) error { return nil })
		}
	})
}

func wireWrite(b *model.Batch) []byte {
	return model.AppendBatch(append(appendRef(nil, someShard), 0), b)
}

// FuzzAnswers has a node answer anything.
func FuzzAnswers(f *testing.F) {
	record := func(b []byte) []byte {
		var out []byte
		w := newRecordWriter(func(frame []byte) error {
			out = append(out, frame...)
			return nil
		})
		if err := errors.Join(w.write(func(dst []byte) []byte { return append(dst, b...) }), w.end()); err != nil {
			f.Fatal(err)
		}
		return out
	}
	f.Add(record(exec.AppendPartial(nil, countsOf("a", 3))))
	f.Add(record(exec.AppendList(nil, &exec.List{Entries: []exec.Entry{{Key: "k"}}})))
	f.Add(record(appendMeasurement(nil, &Measurement{Name: "m", Tags: []string{"t"}})))
	f.Add(record(appendDigest(nil, &tsm.Digest{Applied: &model.BatchSet{}})))
	f.Add(record(appendSnapshotPart(nil, &SnapshotPart{Name: "x"})))
	f.Add(record(model.AppendBatch([]byte{fetchedBatch}, someBatch(1, 2))))
	f.Add((&model.BatchSet{}).Append([]byte{messageFormat}))
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := NewClient(echoConn(answer))
		_ = c.Scan(t.Context(), ReadRef{}, counts, func(*exec.Partial) error { return nil })
		_, _ = c.List(t.Context(), ReadRef{}, &exec.ListRequest{})
		_, _ = c.Schema(t.Context(), ReadRef{}, nil)
		_, _ = c.Applied(t.Context(), someShard)
		_, _ = c.Tell(t.Context(), &replica.Message{})
		_, _ = c.Fetch(t.Context(), someShard, &model.BatchSet{}, func(*model.Batch) error { return nil })
		_ = c.Snapshot(t.Context(), someShard, nil, func(SnapshotPart) error { return nil })
		_, _ = c.Digest(t.Context(), someShard)
	})
}

// echoConn answers everything with the same bytes.
type echoConn []byte

func (c echoConn) Call(context.Context, string, []byte) ([]byte, error) { return bytes.Clone(c), nil }

func (c echoConn) Stream(_ context.Context, _ string, _ []byte, recv func([]byte) error) error {
	return recv(bytes.Clone(c))
}

// BenchmarkClientWrite is what each owner elsewhere adds to a write: 50,000
// values to it and decoded there.
func BenchmarkClientWrite(b *testing.B) {
	r := seeded.Rand(b)
	batch := someBatch(1, 5000)
	t := &batch.Tables[0]
	for i := range 9 {
		c := model.Column{Field: model.Field{Name: fmt.Sprint("f", i), Type: model.Float}}
		for range t.Times {
			c.Bits = append(c.Bits, math.Float64bits(float64(r.IntN(10_000))/100))
		}
		t.Columns = append(t.Columns, c)
	}
	batch.Pack()
	c := connect(b, &fakeNode{})
	b.SetBytes(int64(batch.PackedBytes()))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Write(b.Context(), someShard, batch, 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50_000, "ns/value")
}
