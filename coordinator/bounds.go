package coordinator

import (
	"fmt"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// bounds says which times a policy takes at a moment: none older than it keeps,
// and none outside its write window, if it has one.
type bounds struct {
	policy *meta.Policy
	oldest int64           // that it keeps
	window model.TimeRange // all time when it has none
}

func boundsOf(p *meta.Policy, now time.Time) *bounds {
	b := &bounds{policy: p, window: p.Window(now), oldest: model.MinTime}
	if oldest, ok := p.Oldest(now); ok {
		b.oldest = oldest
	}
	return b
}

func (b *bounds) take(t int64) bool { return t >= b.oldest && b.window.Contains(t) }

// violated names the bound that t is beyond, as InfluxDB 1.12 does, and gives it.
func (b *bounds) violated(t int64) (name string, bound int64) {
	switch {
	case t < b.oldest:
		return "Retention Policy Lower Bound", b.oldest
	case t < b.window.Min:
		return "Write Window Lower Bound", b.window.Min
	}
	return "Write Window Upper Bound", b.window.Max
}

// beyond is the rows of a write that are outside the bounds.
type beyond struct {
	retention, window int // how many
	first, last       outlier
}

// outlier is a row of those; the oldest or the newest one.
type outlier struct {
	series string
	time   int64
}

func (o *beyond) add(b *bounds, series []byte, t int64) {
	any := o.retention+o.window > 0
	if t < b.oldest {
		o.retention++
	} else {
		o.window++
	}
	if !any || t < o.first.time {
		o.first = outlier{string(series), t}
	}
	if !any || t > o.last.time {
		o.last = outlier{string(series), t}
	}
}

// refusal gives what the client is told: what InfluxDB 1.8 says, or of a policy
// with a write window what 1.12 does.
func (o *beyond) refusal(b *bounds) refusal {
	r := refusal{count: o.retention + o.window}
	switch {
	case r.count == 0:
	case b.window == model.AllTime:
		r.reason = "points beyond retention policy"
	default:
		r.reason = fmt.Sprintf("dropped %d points outside retention policy of duration %s and %d points outside write window (%s) - oldest %s, newest %s",
			o.retention, b.policy.Duration, o.window, windowText(b.policy), o.first.text(b), o.last.text(b))
	}
	return r
}

func windowText(p *meta.Policy) string {
	switch {
	case p.PastLimit == 0:
		return p.FutureLimit.String()
	case p.FutureLimit == 0:
		return "-" + p.PastLimit.String()
	}
	return fmt.Sprintf("-%s to %s", p.PastLimit, p.FutureLimit)
}

// maxSeriesText is how much of a series key is in an error.
const maxSeriesText = 256

func (o *outlier) text(b *bounds) string {
	name, bound := b.violated(o.time)
	at := func(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }
	return fmt.Sprintf("point %.*s at %s dropped because it violates a %s at %s", maxSeriesText, o.series, at(o.time), name, at(bound))
}
