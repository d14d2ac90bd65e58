package data

import (
	"context"
	"fmt"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// The methods that a data node answers to others.
const (
	methodWrite    = "data.write"
	methodScan     = "data.scan"
	methodList     = "data.list"
	methodSchema   = "data.schema"
	methodApplied  = "data.applied"
	methodRoom     = "data.room"
	methodTell     = "data.tell"
	methodFetch    = "data.fetch"
	methodSnapshot = "data.snapshot"
	methodOffer    = "data.offer"
	methodDigest   = "data.digest"
)

const (
	// refBytes is what the head of a request takes at most.
	refBytes = 1 + 6*10

	// The first byte of a record of a fetch: batches, and at the end what was
	// trimmed.
	fetchedBatch   = 1
	fetchedTrimmed = 2
)

// served is what Serve needs of a Node.
type served interface {
	Peer
	Owner
}

// Serve answers what a Client asks with n, until s is closed.
func Serve(s *rpc.Server, n served) {
	v := server{n}
	s.Unary(methodWrite, v.write)
	s.Stream(methodScan, v.scan)
	s.Stream(methodList, v.list)
	s.Stream(methodSchema, v.schema)
	s.Unary(methodApplied, v.applied)
	s.Unary(methodRoom, v.room)
	s.Unary(methodTell, v.tell)
	s.Stream(methodFetch, v.fetch)
	s.Stream(methodSnapshot, v.snapshot)
	s.Unary(methodOffer, v.offer)
	s.Stream(methodDigest, v.digest)
}

// server has a handler for each method.
type server struct{ node served }

func newReader(req []byte) *wire.Reader { return wire.NewReader(req, maxMessageMemory) }

// badRequest says what was being read.
func badRequest(what string, err error) error { return fmt.Errorf("request to %s: %w", what, err) }

func (v server) write(ctx context.Context, _ rpc.Caller, req []byte) ([]byte, error) {
	r := newReader(req)
	shard, heldBy := decodeRef(r), r.Uvarint()
	if r.Err() != nil {
		return nil, badRequest("write", r.Err())
	}
	b, err := model.DecodeBatchKeeping(r.Rest())
	if err != nil {
		return nil, badRequest("write", err)
	}
	return nil, v.node.Write(ctx, shard, b, heldBy)
}

func (v server) scan(ctx context.Context, _ rpc.Caller, req []byte, send func([]byte) error) error {
	r := newReader(req)
	ref := decodeReadRef(r)
	if r.Err() != nil {
		return badRequest("scan", r.Err())
	}
	f, err := plan.DecodeFragment(r.Rest())
	if err != nil {
		return badRequest("scan", err)
	}
	w := newRecordWriter(send)
	var tally exec.Tally
	if f.Report == plan.SumReport {
		ctx = exec.WithTally(ctx, &tally)
	}
	err = v.node.Scan(ctx, ref, f, func(p *exec.Partial) error {
		if n := p.MemoryBytes(); n > exec.MaxPartialBytes {
			return &model.Error{
				Kind: model.ErrTooLarge,
				Text: fmt.Sprintf("a group of the answer takes %d bytes, at most %d can be sent: ask for less", n, exec.MaxPartialBytes),
			}
		}
		return w.write(func(dst []byte) []byte { return exec.AppendPartial(dst, p) })
	})
	if err == nil && f.Report == plan.SumReport {
		err = w.write(func(dst []byte) []byte { return exec.AppendPartial(dst, &exec.Partial{Report: tally.Report()}) })
	}
	if err != nil {
		return err
	}
	return w.end()
}

func (v server) list(ctx context.Context, _ rpc.Caller, req []byte, send func([]byte) error) error {
	r := newReader(req)
	ref := decodeReadRef(r)
	if r.Err() != nil {
		return badRequest("list", r.Err())
	}
	q, err := exec.DecodeListRequest(r.Rest())
	if err != nil {
		return badRequest("list", err)
	}
	list, err := v.node.List(ctx, ref, q)
	if err != nil {
		return err
	}
	w := newRecordWriter(send)
	err = list.Pieces(func(piece *exec.List) error {
		return w.write(func(dst []byte) []byte { return exec.AppendList(dst, piece) })
	})
	if err != nil {
		return err
	}
	return w.end()
}

func (v server) schema(ctx context.Context, _ rpc.Caller, req []byte, send func([]byte) error) error {
	r := newReader(req)
	ref, where := decodeReadRef(r), decodePredicate(r)
	if err := r.Done(); err != nil {
		return badRequest("read the schema", err)
	}
	measurements, err := v.node.Schema(ctx, ref, where)
	if err != nil {
		return err
	}
	w := newRecordWriter(send)
	for i := range measurements {
		if err := w.write(func(dst []byte) []byte { return appendMeasurement(dst, &measurements[i]) }); err != nil {
			return err
		}
	}
	return w.end()
}

func (v server) applied(ctx context.Context, _ rpc.Caller, req []byte) ([]byte, error) {
	r := newReader(req)
	shard := decodeRef(r)
	if err := r.Done(); err != nil {
		return nil, badRequest("say what is applied", err)
	}
	set, err := v.node.Applied(ctx, shard)
	if err != nil {
		return nil, err
	}
	return set.Append([]byte{messageFormat}), nil
}

func (v server) tell(ctx context.Context, from rpc.Caller, req []byte) ([]byte, error) {
	m, err := replica.DecodeMessage(req)
	if err != nil {
		return nil, badRequest("tell", err)
	}
	if m.From.Node != from.Node {
		return nil, fmt.Errorf("node %d speaks as node %d: %w", from.Node, m.From.Node, model.ErrInvalid)
	}
	answer, err := v.node.Tell(ctx, m)
	if err != nil || answer == nil {
		return nil, err
	}
	return replica.AppendMessage(nil, answer), nil
}

func (v server) fetch(ctx context.Context, _ rpc.Caller, req []byte, send func([]byte) error) error {
	r := newReader(req)
	shard, want := decodeRef(r), decodeSet(r)
	if err := r.Done(); err != nil {
		return badRequest("fetch", err)
	}
	w := newRecordWriter(send)
	trimmed, err := v.node.Fetch(ctx, shard, want, func(b *model.Batch) error {
		return w.write(func(dst []byte) []byte { return model.AppendBatch(append(dst, fetchedBatch), b) })
	})
	if err != nil {
		return err
	}
	if trimmed == nil {
		trimmed = &model.BatchSet{}
	}
	if err := w.write(func(dst []byte) []byte { return trimmed.Append(append(dst, fetchedTrimmed)) }); err != nil {
		return err
	}
	return w.end()
}

func (v server) snapshot(ctx context.Context, _ rpc.Caller, req []byte, send func([]byte) error) error {
	r := newReader(req)
	shard, resume := decodeRef(r), decodeSnapshotFiles(r)
	if err := r.Done(); err != nil {
		return badRequest("copy", err)
	}
	w := newRecordWriter(send)
	err := v.node.Snapshot(ctx, shard, resume, func(p SnapshotPart) error {
		return w.write(func(dst []byte) []byte { return appendSnapshotPart(dst, &p) })
	})
	if err != nil {
		return err
	}
	return w.end()
}

func (v server) offer(ctx context.Context, _ rpc.Caller, req []byte) ([]byte, error) {
	r := newReader(req)
	shard := decodeRef(r)
	if r.Err() != nil {
		return nil, badRequest("offer", r.Err())
	}
	b, err := model.DecodeBatch(r.Rest())
	if err != nil {
		return nil, badRequest("offer", err)
	}
	return nil, v.node.Offer(ctx, shard, b)
}

func (v server) digest(ctx context.Context, _ rpc.Caller, req []byte, send func([]byte) error) error {
	r := newReader(req)
	shard := decodeRef(r)
	if err := r.Done(); err != nil {
		return badRequest("digest", err)
	}
	d, err := v.node.Digest(ctx, shard)
	if err != nil {
		return err
	}
	w := newRecordWriter(send)
	if err := w.write(func(dst []byte) []byte { return appendDigest(dst, &d) }); err != nil {
		return err
	}
	return w.end()
}
