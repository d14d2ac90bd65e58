package subscriber

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/model"
)

const (
	// tries is how often a request is sent, with firstPause before the second
	// and twice that before the third.
	tries      = 3
	firstPause = 500 * time.Millisecond
	// sayAgain is how often it is logged that a destination fails.
	sayAgain = time.Minute
)

// lane is a queue and who sends what is in it: to the one destination, or to
// one of several in turn, and to the next where one fails.
type lane struct {
	queue   *queue
	to      []destination
	names   []string // of to, without passwords
	turn    int      // of to, the next
	last    int      // of to, the one that was tried last
	labels  prometheus.Labels
	metrics *metrics
	log     *slog.Logger
	said    time.Time // when it was logged that it fails
	cancel  context.CancelFunc
	gone    atomic.Bool // the subscription is, and nothing is counted any more
}

// end drops what is in the queue and ends the try that is made, if there is one.
func (l *lane) end() {
	l.gone.Store(true)
	l.queue.close()
	l.cancel()
}

// run sends what is in the queue until it is closed and empty, or ctx ends.
func (l *lane) run(ctx context.Context) {
	for {
		some := l.queue.take(ctx)
		if len(some) == 0 {
			break
		}
		l.send(ctx, some)
		l.queue.free(some)
	}
	for _, d := range l.to {
		d.close()
	}
	l.drop(l.queue.clear(), "closed")
}

func (l *lane) drop(points int, why string) {
	if points == 0 || l.gone.Load() {
		return
	}
	l.metrics.dropped.MustCurryWith(l.labels).WithLabelValues(why).Add(float64(points))
}

// send tries until a destination has taken the payloads, a few times.
func (l *lane) send(ctx context.Context, some []*payload) {
	points, size := 0, 0
	for _, p := range some {
		points, size = points+p.points(), size+len(p.text)
	}
	var err error
	for try := range tries {
		if try > 0 && pace.Sleep(ctx, firstPause<<(try-1)) != nil {
			break
		}
		if err = l.once(ctx, some); err == nil {
			l.metrics.points.With(l.labels).Add(float64(points))
			l.metrics.bytes.With(l.labels).Add(float64(size))
			return
		}
		if errors.Is(err, errRefused) || errors.Is(err, model.ErrInvalid) {
			break
		}
	}
	l.drop(points, "failed")
	if now := time.Now(); ctx.Err() == nil && now.Sub(l.said) >= sayAgain {
		l.said = now
		l.log.Warn("a subscription's destination did not take points", "database", l.labels["database"], "policy", l.labels["policy"],
			"subscription", l.labels["subscription"], "destination", l.names[l.last], "points", points, "error", err)
	}
}

// once offers the payloads to each destination once, until one takes them.
func (l *lane) once(ctx context.Context, some []*payload) (err error) {
	for range l.to {
		l.last, l.turn = l.turn, (l.turn+1)%len(l.to)
		if err = l.to[l.last].send(ctx, some); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			break // which is not the destination's fault
		}
		l.metrics.failures.With(l.labels).Inc()
	}
	return err
}

// redacted gives a URL without its password, which may be in its query, too.
func redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "?"
	}
	u.RawQuery = ""
	return u.Redacted()
}
