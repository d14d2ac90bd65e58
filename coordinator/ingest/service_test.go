package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// fakeWriter keeps the rows that it is given, or fails.
type fakeWriter struct {
	mu    sync.Mutex
	rows  []string
	to    coordinator.WriteRequest // the last
	tries int
	fail  func(try int) error // nil: never
	block chan struct{}       // when set, a write waits until it is closed
}

func (w *fakeWriter) Write(ctx context.Context, r coordinator.WriteRequest) error {
	if w.block != nil {
		<-w.block
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tries++
	if w.fail != nil {
		if err := w.fail(w.tries); err != nil {
			return err
		}
	}
	w.to = r
	w.rows = append(w.rows, rowsOf(r.Batch)...)
	return nil
}

func (w *fakeWriter) sorted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.rows))
}

// rowsOf gives the rows of a batch, each as "series field=value,… time", fields in
// order of their names. Of two with one series and time the fields are joined.
func rowsOf(b *model.Batch) []string {
	type at struct {
		series string
		time   int64
	}
	rows := make(map[at]map[string]any)
	for _, t := range b.Tables {
		for i, time := range t.Times {
			key := at{string(b.Series[t.Series[i]].Key), time}
			if rows[key] == nil {
				rows[key] = make(map[string]any)
			}
			for _, c := range t.Columns {
				if v := c.Value(i); v != nil {
					rows[key][c.Name] = v
				}
			}
		}
	}
	var out []string
	for key, values := range rows {
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(values)) {
			fields = append(fields, fmt.Sprintf("%s=%v", name, values[name]))
		}
		out = append(out, fmt.Sprintf("%s %s %d", key.series, strings.Join(fields, ","), key.time))
	}
	slices.Sort(out)
	return out
}

// fakeDatabases is databases with the names of their policies, the default first.
type fakeDatabases struct {
	mu   sync.Mutex
	of   map[string][]string
	away bool // whatever is asked fails
}

func (d *fakeDatabases) Database(_ context.Context, name string) (*meta.Database, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return nil, model.ErrUnavailable
	}
	if d.of[name] == nil {
		return nil, model.ErrNotFound
	}
	return &meta.Database{Name: name}, nil
}

func (d *fakeDatabases) Policy(ctx context.Context, database, policy string) (*meta.Database, *meta.Policy, error) {
	db, err := d.Database(ctx, database)
	if err != nil {
		return nil, nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if policy != "" && !slices.Contains(d.of[database], policy) {
		return nil, nil, model.ErrNotFound
	}
	return db, &meta.Policy{Name: policy}, nil
}

func (d *fakeDatabases) CreateDatabase(_ context.Context, name string, spec *meta.PolicySpec) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	policy := meta.DefaultPolicyName
	if spec != nil {
		policy = spec.Name
	}
	d.of[name] = []string{policy}
	return nil
}

func (d *fakeDatabases) CreatePolicy(_ context.Context, database string, spec meta.PolicySpec, makeDefault bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if makeDefault {
		d.of[database] = append([]string{spec.Name}, d.of[database]...)
	} else {
		d.of[database] = append(d.of[database], spec.Name)
	}
	return nil
}

// bench is listeners over a writer in memory.
type bench struct {
	*Service
	writer    *fakeWriter
	databases *fakeDatabases
	registry  *prometheus.Registry
}

func newBench(t *testing.T, cfg Config, writer *fakeWriter) *bench {
	t.Helper()
	b := &bench{writer: writer, databases: &fakeDatabases{of: map[string][]string{}}, registry: prometheus.NewRegistry()}
	var err error
	b.Service, err = Open(cfg, Parts{Writer: writer, Databases: b.databases}, slog.New(slog.DiscardHandler), b.registry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// count gives a metric, over all its labels.
func (b *bench) count(name string) (sum float64) {
	families, err := b.registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func (b *bench) wantCount(t *testing.T, name string, want float64) {
	t.Helper()
	if n := b.count(name); n != want {
		t.Errorf("%s is %v, want %v", name, n, want)
	}
}

// dial gives a connection to the only listener.
func (b *bench) dial(t *testing.T) net.Conn {
	t.Helper()
	a := b.listeners[0].port.address()
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// send sends to the only listener, on a connection of its own.
func (b *bench) send(t *testing.T, text string) {
	t.Helper()
	c := b.dial(t)
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func (b *bench) wantRows(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	eventually(t, fmt.Sprintf("rows\n%s", strings.Join(want, "\n")), func() bool { return slices.Equal(b.writer.sorted(), want) })
}

// loopback gives an address whose port the kernel chooses.
const loopback = "127.0.0.1:0"

func udpConfig(change func(*UDP)) Config {
	u := DefaultUDP()
	u.Enabled, u.BindAddress, u.BatchTimeout = true, loopback, time.Millisecond
	if change != nil {
		change(&u)
	}
	return Config{UDP: []UDP{u}}
}

func graphiteConfig(change func(*Graphite)) Config {
	g := DefaultGraphite()
	g.Enabled, g.BindAddress, g.BatchTimeout = true, loopback, time.Millisecond
	if change != nil {
		change(&g)
	}
	return Config{Graphite: []Graphite{g}}
}

func TestUDPWritesLineProtocol(t *testing.T) {
	b := newBench(t, udpConfig(func(u *UDP) { u.Precision = "s" }), &fakeWriter{})
	b.send(t, "cpu,host=a v=1,n=2i,s=\"x\",b=t 10\nnonsense\ncpu,host=b v=2 11\n")
	b.wantRows(t, "cpu,host=a b=true,n=2,s=x,v=1 10000000000", "cpu,host=b v=2 11000000000")
	if b.writer.to.Database != "udp" || b.writer.to.Policy != "" {
		t.Errorf("written to %q.%q, want udp and its default policy", b.writer.to.Database, b.writer.to.Policy)
	}
	b.wantCount(t, "ingest_malformed_total", 1)
}

func TestAListenerIsSeenBeforeAnybodySends(t *testing.T) {
	b := newBench(t, udpConfig(nil), &fakeWriter{})
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "ingest_received_points_total" {
			return
		}
	}
	t.Error("nothing is counted of it")
}

func TestGraphiteWritesLinesOfConnectionsAndPackets(t *testing.T) {
	for _, protocol := range []string{"tcp", "udp"} {
		b := newBench(t, graphiteConfig(func(g *Graphite) { g.Protocol = protocol }), &fakeWriter{})
		b.send(t, "a.b 1 1500000000\n\nrubbish\r\nc.d 2 1500000001\r\n")
		b.wantRows(t, "a.b value=1 1500000000000000000", "c.d value=2 1500000001000000000")
	}
}
