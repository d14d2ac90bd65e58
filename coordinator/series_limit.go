package coordinator

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// rooms remembers, per shard, how many series can be sent to it, all of them
// taken for new, before an owner must be asked whether they fit its limits. Far
// from a limit that is once in many batches.
type rooms struct {
	mu sync.Mutex
	of map[uint64]room // by shard
}

type room struct {
	left   int64
	limits model.SeriesLimits // that it was asked for
	until  time.Time
}

const (
	// roomPart is which part of the room that is left is used before an owner is
	// asked again: others write to the shard, too.
	roomPart = 4
	// roomFor bounds the time for which an answer is used.
	roomFor = 10 * time.Second
	// roomPatience is how long one owner is waited for, which may have stopped: the
	// write that follows needs its time.
	roomPatience = 300 * time.Millisecond
	// unjudgedFor is how long series pass when no owner says anything.
	unjudgedFor = 2 * time.Second
	// maxRooms bounds the shards remembered; with one more all are forgotten.
	maxRooms = 16 << 10
)

// take uses up room for n series, if there is.
func (r *rooms) take(shard uint64, limits model.SeriesLimits, n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	have := r.of[shard]
	if have.left < n || have.limits != limits || time.Now().After(have.until) {
		return false
	}
	have.left -= n
	r.of[shard] = have
	return true
}

func (r *rooms) set(shard uint64, to room) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil || len(r.of) >= maxRooms {
		r.of = make(map[uint64]room)
	}
	r.of[shard] = to
}

// limitsOf gives what bounds one shard of a group for a user.
func (w *Writer) limitsOf(g *meta.ShardGroup, user string) model.SeriesLimits {
	now, limits := w.meta.Snapshot(), w.cfg.Limits
	if d, _ := now.Policy(g.Policy); d != nil {
		limits = d.Limits.Or(limits)
	}
	if user != "" {
		if u := now.User(user); u != nil {
			limits = limits.And(u.Limits)
		}
	}
	if n := int64(len(g.Shards)); n > 1 && limits.Series > 0 {
		limits.Series = (limits.Series + n - 1) / n // series are spread evenly, by their hash
	}
	return limits
}

// limitSeries takes out of a part the rows of series that are beyond a limit of
// their database. Where no owner can say, nothing is: who cannot be asked cannot
// be written to, or takes part in a cluster that has other troubles.
func (w *Writer) limitSeries(ctx context.Context, user string, p *part) refusal {
	if p.batch == nil {
		return refusal{}
	}
	return w.hold(ctx, p, w.limitsOf(p.group, user))
}

// hold holds the series of a part against limits.
func (w *Writer) hold(ctx context.Context, p *part, limits model.SeriesLimits) refusal {
	n := int64(len(p.batch.Series))
	if limits == (model.SeriesLimits{}) || w.rooms.take(p.shard.ID, limits, n) {
		return refusal{}
	}
	answer, err := w.askRoom(ctx, p, limits, nil)
	if err != nil {
		w.unjudged(p, limits, err)
		return refusal{}
	}
	if left := answer.Left / roomPart; left >= n {
		w.rooms.set(p.shard.ID, room{left: left - n, limits: limits, until: time.Now().Add(roomFor)})
		return refusal{}
	}
	if answer, err = w.askRoom(ctx, p, limits, p.batch.Series); err != nil {
		w.unjudged(p, limits, err)
		return refusal{}
	}
	return p.refuse(answer.Refused)
}

// unjudged lets series pass for a moment where no owner says whether they fit:
// each write would wait for that anew.
func (w *Writer) unjudged(p *part, limits model.SeriesLimits, err error) {
	w.refusals.Warn("cannot hold series against their limits", "shard", p.shard.ID, "error", err)
	w.rooms.set(p.shard.ID, room{left: math.MaxInt64, limits: limits, until: time.Now().Add(unjudgedFor)})
}

// askRoom asks one owner of the shard, this node if it is one.
func (w *Writer) askRoom(ctx context.Context, p *part, limits model.SeriesLimits, series []model.Series) (data.Room, error) {
	owners := slices.DeleteFunc(slices.Clone(p.shard.Owners), func(o meta.Owner) bool {
		return o.State != meta.Active && o.State != meta.Leaving
	})
	slices.SortStableFunc(owners, func(a, b meta.Owner) int {
		return cmp.Compare(min(1, a.Node^w.peers.Local()), min(1, b.Node^w.peers.Local()))
	})
	err := errNoOwnerThere
	for _, o := range owners {
		peer := w.peers.Peer(o.Node)
		if peer == nil {
			continue
		}
		var r data.Room
		patience, cancel := context.WithTimeout(ctx, roomPatience)
		r, err = peer.Room(patience, p.ref(), limits, series)
		cancel()
		if err == nil {
			return r, nil
		}
	}
	return data.Room{}, err
}

var errNoOwnerThere = errors.New("no owner can be reached")

// refuse takes out the rows of some series.
func (p *part) refuse(series []data.RefusedSeries) (refused refusal) {
	if len(series) == 0 {
		return refusal{}
	}
	refused.reason = series[0].Why
	out := make([]bool, len(p.batch.Series))
	for _, s := range series {
		out[s.At] = true
	}
	drops := make([][]bool, len(p.batch.Tables))
	for i := range p.batch.Tables {
		t := &p.batch.Tables[i]
		drops[i] = make([]bool, len(t.Times))
		for row, at := range t.Series {
			if out[at] {
				drops[i][row] = true
				refused.count++
			}
		}
	}
	p.batch = without(p.batch, drops)
	return refused
}
