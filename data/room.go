package data

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// Room implements Peer.
func (n *Node) Room(ctx context.Context, ref ShardRef, limits model.SeriesLimits, series []model.Series) (Room, error) {
	_, sh, err := n.current(ctx, ref)
	switch {
	case err != nil:
		return Room{}, named(ref, err)
	case sh == nil:
		return Room{Left: math.MaxInt64}, nil // its rows go nowhere
	case !serves(n.stateIn(sh)):
		return Room{}, errNoOwner(ref)
	}
	h, shard, err := n.shards.useThere(ref.Shard)
	if errors.Is(err, model.ErrNotFound) {
		return tsm.EmptyRoom(limits, series)
	}
	if err != nil {
		return Room{}, err
	}
	defer n.release(h)
	r, err := shard.Room(limits, series)
	if err != nil {
		return Room{}, named(ref, err)
	}
	return r, nil
}

// Room implements Peer.
func (c *Client) Room(ctx context.Context, shard ShardRef, limits model.SeriesLimits, series []model.Series) (Room, error) {
	answer, err := c.conn.Call(ctx, methodRoom, appendRoomRequest(appendRef(nil, shard), limits, series))
	if err != nil {
		return Room{}, err
	}
	return decodeRoom(answer, len(series))
}

func (v server) room(ctx context.Context, _ rpc.Caller, req []byte) ([]byte, error) {
	r := newReader(req)
	shard := decodeRef(r)
	limits, series := decodeRoomRequest(r)
	if err := r.Done(); err != nil {
		return nil, badRequest("room", err)
	}
	room, err := v.node.Room(ctx, shard, limits, series)
	if err != nil {
		return nil, err
	}
	return appendRoom(nil, &room), nil
}

func appendRoomRequest(dst []byte, limits model.SeriesLimits, series []model.Series) []byte {
	dst = wire.AppendVarint(dst, limits.Series)
	dst = wire.AppendVarint(dst, limits.ValuesPerTag)
	dst = wire.AppendUvarint(dst, uint64(len(series)))
	for i := range series {
		dst = wire.AppendUint64(dst, series[i].Hash.Hi)
		dst = wire.AppendUint64(dst, series[i].Hash.Lo)
		dst = wire.AppendBlob(dst, series[i].Key)
	}
	return dst
}

// seriesBytes is what a series takes besides its key.
const seriesBytes = 48

func decodeRoomRequest(r *wire.Reader) (limits model.SeriesLimits, series []model.Series) {
	limits = model.SeriesLimits{Series: r.Varint(), ValuesPerTag: r.Varint()}
	n := r.Count(17)
	if !r.Spend(n, seriesBytes) {
		return limits, nil
	}
	series = make([]model.Series, n)
	for i := range series {
		series[i] = model.Series{Hash: model.SeriesHash{Hi: r.Uint64(), Lo: r.Uint64()}, Key: r.Blob()}
	}
	return limits, series
}

func appendRoom(dst []byte, room *Room) []byte {
	dst = wire.AppendVarint(append(dst, messageFormat), room.Left)
	dst = wire.AppendUvarint(dst, uint64(len(room.Refused)))
	for _, x := range room.Refused {
		dst = wire.AppendString(wire.AppendUvarint(dst, uint64(x.At)), x.Why)
	}
	return dst
}

// decodeRoom reads an answer about n series.
func decodeRoom(b []byte, n int) (room Room, err error) {
	r := newReader(b)
	r.Format(messageFormat)
	room.Left = r.Varint()
	count := r.Count(2)
	if r.Spend(count, seriesBytes) {
		for range count {
			room.Refused = append(room.Refused, tsm.RefusedSeries{At: uint32(r.Index(n)), Why: r.String()})
		}
	}
	if err := r.Done(); err != nil {
		return Room{}, fmt.Errorf("decode room: %w", err)
	}
	return room, nil
}
