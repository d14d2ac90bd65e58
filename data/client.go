package data

import (
	"context"
	"fmt"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
	"github.com/varvedb/varve/tsm"
)

// Conn is the way to another node: a *rpc.Conn. The answer of Call, and what
// recv gets, belongs to the receiver. A Stream ends when recv gives an error.
type Conn interface {
	Call(ctx context.Context, method string, request []byte) ([]byte, error)
	Stream(ctx context.Context, method string, request []byte, recv func([]byte) error) error
}

// Client is a data node elsewhere, whose side is Serve. It has no state of its
// own. A call ends when its context does, and its work on the other side soon
// after; one that streams has no other limit of time.
type Client struct{ conn Conn }

var (
	_ Peer  = (*Client)(nil)
	_ Owner = (*Client)(nil)
)

// NewClient gives the data node at the other end of conn.
func NewClient(conn Conn) *Client { return &Client{conn: conn} }

// Write implements Peer. A batch that goes to several owners is packed once
// when model.Batch.Pack was called before.
func (c *Client) Write(ctx context.Context, shard ShardRef, b *model.Batch, heldBy uint64) error {
	req := make([]byte, 0, refBytes+requestBytes(b))
	req = wire.AppendUvarint(appendRef(req, shard), heldBy)
	_, err := c.conn.Call(ctx, methodWrite, model.AppendBatch(req, b))
	return err
}

// requestBytes gives room for a packed batch: its head, its series and, while
// they are compressed, their keys.
func requestBytes(b *model.Batch) int {
	n := b.PackedBytes() + 128
	for i := range b.Series {
		n += 18 + len(b.Series[i].Key)*5/4
	}
	return n
}

// Scan implements Peer.
func (c *Client) Scan(ctx context.Context, ref ReadRef, f *plan.Fragment, emit func(*exec.Partial) error) error {
	asked, tally := f, exec.TallyOf(ctx)
	if tally != nil && f.Report == plan.NoReport {
		summed := *f
		summed.Report = plan.SumReport
		asked = &summed
	}
	req := plan.AppendFragment(appendReadRef(nil, ref), asked)
	return c.stream(ctx, methodScan, req, func(record []byte) error {
		p, err := exec.DecodePartial(record, asked)
		switch {
		case err != nil:
			return err
		case p.Report != nil && asked.Report == plan.SumReport:
			tally.Add(p.Report)
			return nil
		}
		return emit(p)
	})
}

// List implements Peer. What has come is counted by the budget of ctx.
func (c *Client) List(ctx context.Context, ref ReadRef, q *exec.ListRequest) (*exec.List, error) {
	held := memory.FromContext(ctx).Account()
	defer held.Close()
	list := &exec.List{}
	req := exec.AppendListRequest(appendReadRef(nil, ref), q)
	err := c.stream(ctx, methodList, req, func(record []byte) error {
		piece, err := exec.DecodeList(record)
		if err != nil {
			return err
		}
		bytes := piece.Bytes()
		if err := list.Append(piece); err != nil {
			return err
		}
		return held.Add(bytes)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Schema implements Peer.
func (c *Client) Schema(ctx context.Context, ref ReadRef, where *model.Predicate) ([]Measurement, error) {
	var out []Measurement
	req := model.AppendPredicate(appendReadRef(nil, ref), where)
	err := c.stream(ctx, methodSchema, req, func(record []byte) error {
		m, err := decodeMeasurement(record)
		out = append(out, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Applied implements Peer.
func (c *Client) Applied(ctx context.Context, shard ShardRef) (*model.BatchSet, error) {
	answer, err := c.conn.Call(ctx, methodApplied, appendRef(nil, shard))
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(answer, maxMessageMemory)
	r.Format(messageFormat)
	set := decodeSet(r)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decode applied set: %w", err)
	}
	return set, nil
}

// Tell implements Owner.
func (c *Client) Tell(ctx context.Context, m *replica.Message) (*replica.Message, error) {
	answer, err := c.conn.Call(ctx, methodTell, replica.AppendMessage(nil, m))
	if err != nil || len(answer) == 0 {
		return nil, err
	}
	return replica.DecodeMessage(answer)
}

// Fetch implements Owner.
func (c *Client) Fetch(ctx context.Context, shard ShardRef, want *model.BatchSet, emit func(*model.Batch) error) (trimmed *model.BatchSet, err error) {
	err = c.stream(ctx, methodFetch, want.Append(appendRef(nil, shard)), func(record []byte) error {
		if trimmed != nil {
			return fmt.Errorf("fetch of %s: more after its end: %w", shard, model.ErrCorrupt)
		}
		switch kind, content := record[0], record[1:]; kind {
		case fetchedBatch:
			b, err := model.DecodeBatchKeeping(content)
			if err != nil {
				return err
			}
			return emit(b)
		case fetchedTrimmed:
			set, rest, err := model.DecodeBatchSet(content)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("fetch of %s: what was trimmed: %w", shard, model.ErrCorrupt)
			}
			trimmed = set
			return nil
		default:
			return fmt.Errorf("fetch of %s: record of kind %d: %w", shard, kind, model.ErrNotSupported)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case trimmed == nil: // what is missing without a word would be taken for what is not there
		return nil, fmt.Errorf("fetch of %s: no word of what was trimmed: %w", shard, model.ErrCorrupt)
	}
	return trimmed, nil
}

// Snapshot implements Owner. It has checked the sum of each piece.
func (c *Client) Snapshot(ctx context.Context, shard ShardRef, resume []SnapshotFile, emit func(SnapshotPart) error) error {
	req := appendSnapshotFiles(appendRef(nil, shard), resume)
	return c.stream(ctx, methodSnapshot, req, func(record []byte) error {
		p, err := decodeSnapshotPart(record)
		if err != nil {
			return err
		}
		return emit(p)
	})
}

// Offer implements Owner.
func (c *Client) Offer(ctx context.Context, shard ShardRef, b *model.Batch) error {
	_, err := c.conn.Call(ctx, methodOffer, model.AppendBatch(appendRef(nil, shard), b))
	return err
}

// Digest implements Owner.
func (c *Client) Digest(ctx context.Context, shard ShardRef) (d tsm.Digest, err error) {
	err = c.stream(ctx, methodDigest, appendRef(nil, shard), func(record []byte) (err error) {
		d, err = decodeDigest(record)
		return err
	})
	if err == nil && d.Applied == nil {
		err = fmt.Errorf("digest of %s: no answer: %w", shard, model.ErrCorrupt)
	}
	return d, err
}

// stream makes a call whose answer is records.
func (c *Client) stream(ctx context.Context, method string, req []byte, each func(record []byte) error) error {
	r := recordReader{each: each}
	if err := c.conn.Stream(ctx, method, req, r.take); err != nil {
		return err
	}
	return r.done()
}
