package quota

import (
	"time"
)

// bucket is the points that may be written. It fills by a second's worth in a
// second and holds no more than that. A batch may be larger: what it takes beyond
// the bucket is a debt that later ones wait for, so a batch of any size passes
// and the average holds. The zero bucket is full.
//
// rate.Limiter of golang.org/x/time refuses for ever what is larger than its
// burst.
type bucket struct {
	taken float64 // of a full one
	at    time.Time
}

// wait gives the time until the bucket is without debt; a rate of 0 has none.
func (b *bucket) wait(rate int64, now time.Time) time.Duration {
	if rate <= 0 {
		return 0
	}
	b.fill(rate, now)
	debt := b.taken - float64(rate)
	if debt <= 0 {
		return 0
	}
	seconds := min(debt/float64(rate), maxDebt.Seconds())
	return max(time.Duration(seconds*float64(time.Second)), 1)
}

// maxDebt bounds what a wait can be: an overflow must not make it none.
const maxDebt = 365 * 24 * time.Hour

func (b *bucket) take(rate int64, now time.Time, points int) {
	if rate <= 0 {
		return
	}
	b.fill(rate, now)
	b.taken += float64(points)
}

func (b *bucket) fill(rate int64, now time.Time) {
	if since := now.Sub(b.at); since > 0 {
		b.taken = max(0, b.taken-since.Seconds()*float64(rate))
		b.at = now
	}
}
