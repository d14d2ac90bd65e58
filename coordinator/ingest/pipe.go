package ingest

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/ingest/point"
	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/model"
)

// chunk is what was received at once: a packet, or whole lines of a connection.
type chunk struct {
	data []byte
	at   time.Time
	from netip.AddrPort
}

func newChunk(data []byte, from netip.AddrPort) chunk {
	return chunk{data: data, at: time.Now(), from: from}
}

// pipe is the way of the points of one listener:
//
//	sockets → in → decode, collect → out → deliver
//
// Both queues are bounded. When the batches of out are not taken in time, in fills
// up; then connections are not read for a while, and packets are dropped.
type pipe struct {
	to       target
	delivery *delivery
	decode   func(c chunk, rows *point.Rows)
	rows     *point.Rows // of the collecting goroutine
	metrics  *metrics
	log      *pace.Lines

	in   chan chunk
	room *semaphore.Weighted // of in
	out  chan *model.Batch
}

const (
	// inBytes bounds the chunks that wait to be decoded, each counted with
	// chunkBytes more than its data.
	inBytes    = 8 << 20
	chunkBytes = 1 << 10
	// maxBatchBytes is when a batch is written though it has fewer points than it
	// might. A chunk of maxChunk bytes can add as much again at most.
	maxBatchBytes = 2 << 20
	// pushWait is how long a connection waits for room before what it has sent is
	// dropped: longer than a batch is tried.
	pushWait = retryFor + 10*time.Second
)

func newPipe(to target, d *delivery, seed uint64, m *metrics, log *pace.Lines) *pipe {
	return &pipe{
		to: to, delivery: d, rows: point.NewRows(seed), metrics: m, log: log,
		in: make(chan chunk, inBytes/chunkBytes), room: semaphore.NewWeighted(inBytes),
		out: make(chan *model.Batch, to.pending),
	}
}

// run collects and delivers until in is closed and all is delivered or ctx ends;
// what is left then is dropped.
func (p *pipe) run(ctx context.Context) {
	go p.collect()
	for b := range p.out {
		p.deliver(ctx, b)
	}
}

func (c *chunk) weight() int64 { return int64(len(c.data)) + chunkBytes }

// offer gives a packet to be decoded, unless too much is waiting.
func (p *pipe) offer(c chunk) {
	p.metrics.bytes.WithLabelValues().Add(float64(len(c.data)))
	if !p.room.TryAcquire(c.weight()) {
		p.drop(c)
		return
	}
	p.in <- c // room is for as many as it takes
}

// push gives lines to be decoded, and waits for room. It fails when ctx ends.
func (p *pipe) push(ctx context.Context, c chunk) error {
	p.metrics.bytes.WithLabelValues().Add(float64(len(c.data)))
	if !p.room.TryAcquire(c.weight()) {
		wait, cancel := context.WithTimeout(ctx, pushWait)
		defer cancel()
		if p.room.Acquire(wait, c.weight()) != nil {
			p.drop(c)
			return ctx.Err()
		}
	}
	p.in <- c
	return nil
}

func (p *pipe) drop(c chunk) {
	p.metrics.droppedBytes.WithLabelValues().Add(float64(len(c.data)))
	p.log.Warn("dropped what was received: too much is waiting to be written", "from", c.from, "bytes", len(c.data))
}

// collect makes batches of chunks.
func (p *pipe) collect() {
	defer close(p.out)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case c, ok := <-p.in:
			if !ok {
				p.hand()
				return
			}
			before := p.rows.Len()
			p.decode(c, p.rows)
			p.room.Release(c.weight())
			switch {
			case p.rows.Len() >= p.to.size || p.rows.Bytes() >= maxBatchBytes:
				timer.Stop()
				p.hand()
			case before == 0 && p.rows.Len() > 0:
				timer.Reset(p.to.timeout)
			}
		case <-timer.C:
			p.hand()
		}
	}
}

// hand puts what was collected into the queue. It waits while that is full.
func (p *pipe) hand() {
	if p.rows.Len() > 0 {
		p.out <- p.rows.Take()
	}
}

// deliver writes a batch and counts what became of it.
func (p *pipe) deliver(ctx context.Context, b *model.Batch) {
	points := b.Rows()
	err := p.delivery.deliver(ctx, b)
	var partial *coordinator.PartialWriteError
	switch {
	case errors.As(err, &partial):
		p.metrics.droppedPoints.WithLabelValues(reasonRefused).Add(float64(partial.Dropped))
		p.log.Warn("points were refused", "database", p.to.database, "error", err)
		points -= partial.Dropped
	case err != nil:
		p.metrics.failed.WithLabelValues().Inc()
		p.metrics.droppedPoints.WithLabelValues(reasonFailed).Add(float64(points))
		p.log.Warn("gave up a batch", "database", p.to.database, "points", points, "error", err)
		return
	}
	p.metrics.batches.WithLabelValues().Inc()
	p.metrics.written.WithLabelValues().Add(float64(points))
}

// add collects a point, unless it cannot be stored.
func (p *pipe) add(c chunk, one *point.Point, rows *point.Rows) {
	if err := rows.Add(one); err != nil {
		p.metrics.droppedPoints.WithLabelValues(reasonInvalid).Inc()
		p.log.Warn("dropped a point", "from", c.from, "measurement", shown(one.Measurement), "error", err)
	}
}

// malformed counts what was not understood.
func (p *pipe) malformed(c chunk, reason, text string, err error) {
	p.metrics.malformed.WithLabelValues(reason).Inc()
	p.log.Warn("did not understand what was received", "from", c.from, "text", shown(text), "error", err)
}
