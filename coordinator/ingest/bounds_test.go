package ingest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/ingest/point"
	"github.com/varvedb/varve/model"
)

func TestAFloodOfPacketsIsDroppedAndCountedWhileNothingIsWritten(t *testing.T) {
	w := &fakeWriter{block: make(chan struct{})}
	b := newBench(t, udpConfig(func(u *UDP) { u.BatchSize, u.BatchPending = 1000, 2 }), w)
	p := b.listeners[0].pipe
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	packet := []byte(strings.Repeat("flood,host=a v=1 1\n", 70))
	const packets = 50_000
	for i := range packets {
		copy(packet, fmt.Sprintf("f%04d", i%10_000))
		p.offer(chunk{data: append([]byte(nil), packet...), at: time.Now()})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d packets hold %d MB", packets, grown>>20)
	}
	dropped := b.count("ingest_dropped_bytes_total")
	if dropped == 0 || dropped > packets*float64(len(packet)) {
		t.Errorf("%v bytes were counted as dropped of %d", dropped, packets*len(packet))
	}
	close(w.block)
	want := float64(packets) - dropped/float64(len(packet))
	eventually(t, "what was kept is written", func() bool { return b.count("ingest_written_points_total") == 70*want })
}

func TestAConnectionIsNotReadWhileNothingIsWritten(t *testing.T) {
	w := &fakeWriter{block: make(chan struct{})}
	b := newBench(t, graphiteConfig(func(g *Graphite) { g.BatchSize, g.BatchPending = 100, 1 }), w)
	c := b.dial(t)
	const lines = 60_000
	padding := strings.Repeat("x", 250)
	sent := make(chan error, 1)
	go func() {
		var text strings.Builder
		for i := range lines {
			fmt.Fprintf(&text, "flood.%s%d %d 1500000000\n", padding, i%100, i)
		}
		_, err := c.Write([]byte(text.String()))
		c.Close()
		sent <- err
	}()
	eventually(t, "the queues are full", func() bool { return b.count("ingest_received_bytes_total") > inBytes/2 })
	close(w.block)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is written", func() bool { return b.count("ingest_written_points_total") == lines })
	b.wantCount(t, "ingest_dropped_bytes_total", 0)
}

func TestConnectionsBeyondTheLimitAreClosed(t *testing.T) {
	b := newBench(t, graphiteConfig(func(g *Graphite) { g.MaxConnectionLimit = 2 }), &fakeWriter{})
	one, two := b.dial(t), b.dial(t)
	eventually(t, "two are open", func() bool { return b.count("ingest_connections") == 2 })
	three := b.dial(t)
	three.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := three.Read(make([]byte, 1)); err == nil {
		t.Error("a third connection was served")
	}
	b.wantCount(t, "ingest_refused_connections_total", 1)
	one.Close()
	eventually(t, "another is served", func() bool {
		fmt.Fprintf(b.dial(t), "a.b 1 1500000000\n")
		return b.count("ingest_written_points_total") > 0
	})
	fmt.Fprintf(two, "c.d 1 1500000000\n")
	b.wantRows(t, "a.b value=1 1500000000000000000", "c.d value=1 1500000000000000000")
}

func TestALineWithoutEndIsSkippedInBoundedMemory(t *testing.T) {
	b := newBench(t, graphiteConfig(nil), &fakeWriter{})
	c := b.dial(t)
	long := strings.Repeat("x", 3*maxChunk)
	fmt.Fprintf(c, "a 1 1500000000\n%s 2 1500000000\nb 3 1500000000\n", long)
	b.wantRows(t, "a value=1 1500000000000000000", "b value=3 1500000000000000000")
	b.wantCount(t, "ingest_malformed_total", 1)
}

func TestCloseWritesWhatWasReceived(t *testing.T) {
	b := newBench(t, graphiteConfig(func(g *Graphite) { g.BatchTimeout = time.Hour }), &fakeWriter{})
	b.send(t, "a 1 1500000000\n")
	eventually(t, "it is received", func() bool { return b.count("ingest_received_points_total") == 1 })
	b.Close()
	b.Close()
	b.wantRows(t, "a value=1 1500000000000000000")
}

// newDelivery gives a delivery to a database that is there.
func newDelivery(w Writer, databases *fakeDatabases) *delivery {
	return &delivery{to: target{database: "db"}, writer: w, databases: databases}
}

func oneRow(t *testing.T) *model.Batch {
	t.Helper()
	rows := point.NewRows(0)
	if err := rows.Add(&point.Point{Measurement: "m", Fields: []point.Field{{Name: "v", Value: 1}}}); err != nil {
		t.Fatal(err)
	}
	return rows.Take()
}

func TestTroubleThatPassesIsWaitedOutForABoundedTime(t *testing.T) {
	for _, c := range []struct {
		name      string
		fail      func(try int) error
		delivered bool
		atMost    time.Duration
	}{
		{"passes", func(try int) error {
			if try < 4 {
				return model.ErrOverloaded
			}
			return nil
		}, true, 2 * time.Second},
		{"stays", func(int) error { return model.ErrUnavailable }, false, retryFor + lastPause},
		{"never passes", func(int) error { return model.ErrTooLarge }, false, 0},
		{"in part", func(int) error { return &coordinator.PartialWriteError{Dropped: 1} }, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &fakeWriter{fail: c.fail}
				d := newDelivery(w, &fakeDatabases{of: map[string][]string{"db": {"autogen"}}})
				start := time.Now()
				err := d.deliver(context.Background(), oneRow(t))
				if (err == nil) != c.delivered || time.Since(start) > c.atMost {
					t.Errorf("after %v and %d tries: %v", time.Since(start), w.tries, err)
				}
				if c.delivered && len(w.rows) != 1 {
					t.Errorf("rows %q were written, want one", w.rows)
				}
			})
		})
	}
}

func TestADatabaseAndAPolicyAreMadeWhereTheyAreMissing(t *testing.T) {
	for _, c := range []struct {
		name, policy string
		before, want []string
	}{
		{"database", "", nil, []string{"autogen"}},
		{"database with its policy", "week", nil, []string{"week"}},
		{"policy beside the default", "week", []string{"autogen"}, []string{"autogen", "week"}},
		{"nothing", "week", []string{"autogen", "week"}, []string{"autogen", "week"}},
	} {
		databases := &fakeDatabases{of: map[string][]string{}}
		if c.before != nil {
			databases.of["db"] = c.before
		}
		d := newDelivery(&fakeWriter{}, databases)
		d.to.policy = c.policy
		if err := d.deliver(context.Background(), oneRow(t)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := databases.of["db"]; fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: policies are %q, want %q", c.name, got, c.want)
		}
	}
}

func TestABatchIsGivenUpAndCountedWhenEtcdStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := offline(&fakeWriter{})
		b.databases.away = true
		p := b.newPipe(DefaultUDP().target(), "udp")
		p.deliver(context.Background(), oneRow(t))
		b.wantCount(t, "ingest_failed_batches_total", 1)
		b.wantCount(t, "ingest_dropped_points_total", 1)
	})
}
