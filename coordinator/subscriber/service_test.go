package subscriber

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// world is a Service over metadata with the database "db".
type world struct {
	*Service
	t   *testing.T
	log *bytes.Buffer
	reg *prometheus.Registry
}

func open(t *testing.T, change func(*Config)) *world {
	t.Helper()
	store := metatest.OpenStore(t, metatest.NewMemory(), "n")
	if err := store.CreateDatabase(t.Context(), "db", nil); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Allow = loopback
	if change != nil {
		change(&cfg)
	}
	log := &lockedBuffer{}
	reg := prometheus.NewRegistry()
	s, err := Open(cfg, store, slog.New(slog.NewTextHandler(log, nil)), reg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &world{s, t, &log.Buffer, reg}
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (w *world) subscribe(mode meta.SubscriptionMode, to ...string) {
	w.t.Helper()
	if err := w.store.CreateSubscription(w.t.Context(), "db", "autogen", meta.Subscription{Name: "s", Mode: mode, Destinations: to}); err != nil {
		w.t.Fatal(err)
	}
}

// write publishes line protocol.
func (w *world) write(text string) {
	w.t.Helper()
	w.Publish("db", w.store.Snapshot().Database("db").Policy(""), parse(w.t, text))
}

// count gives the sum of a metric over those with all these values of labels.
func (w *world) count(name string, values ...string) (n int) {
	w.t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			has := map[string]bool{}
			for _, l := range m.GetLabel() {
				has[l.GetValue()] = true
			}
			if f.GetName() == name && !slices.ContainsFunc(values, func(v string) bool { return !has[v] }) {
				n += int(m.GetCounter().GetValue())
			}
		}
	}
	return n
}

// dropped gives the points dropped for a reason.
func (w *world) dropped(destination, why string) int {
	return w.count("subscriber_dropped_points_total", destination, why)
}

// receiver is a server that keeps what it was sent.
type receiver struct {
	*httptest.Server
	got    chan *http.Request // bodies have been read into them
	status chan int           // of the next answers; 204 when there is none
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{got: make(chan *http.Request, 100), status: make(chan int, 10)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(b))
		r.got <- req
		select {
		case status := <-r.status:
			if status == http.StatusFound {
				w.Header().Set("Location", "/elsewhere")
			}
			w.WriteHeader(status)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// next gives what came next, as "target body".
func (r *receiver) next(t *testing.T) string {
	t.Helper()
	select {
	case req := <-r.got:
		b, _ := io.ReadAll(req.Body)
		return req.Method + " " + req.URL.String() + " " + req.Header.Get("Authorization") + " " + string(b)
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		return ""
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it never came to be that %s", what)
}

func TestHTTPDestinationGetsWhatInfluxDBSends(t *testing.T) {
	w, to := open(t, nil), receive(t)
	w.subscribe(meta.ToAll, strings.Replace(to.URL, "http://", "http://user:secret@", 1)+"/kapacitor?p=secret")
	w.write("cpu,host=a usage=1,n=2i 5\ncpu,host=b usage=2 6\n")
	const want = "POST /kapacitor/write?consistency=&db=db&p=secret&precision=ns&rp=autogen Basic dXNlcjpzZWNyZXQ= cpu,host=a usage=1,n=2i 5\ncpu,host=b usage=2 6\n"
	if got := to.next(t); got != want {
		t.Errorf("it got  %s\nwant %s", got, want)
	}
	w.Close()
	if n := w.count("subscriber_points_total"); n != 2 {
		t.Errorf("%d points were counted, want 2", n)
	}
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if said := w.log.String() + fmt.Sprint(families); strings.Contains(said, "secret") {
		t.Errorf("the log or the metrics have the password: %s", said)
	}
}

func TestUDPDestinationGetsADatagramForEachPoint(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w := open(t, nil)
	w.subscribe(meta.ToAll, "udp://"+conn.LocalAddr().String())
	w.write("cpu usage=1 5\ncpu msg=\"two\nlines\" 6\n")
	for _, want := range []string{"cpu usage=1 5", "cpu msg=\"two\nlines\" 6"} {
		buf := make([]byte, 100)
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := conn.ReadFrom(buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("it got %q, %v, want %q", buf[:n], err, want)
		}
	}
}

func TestAllGoesToEachAndOneThatFailsHoldsUpNoOther(t *testing.T) {
	w, a, b := open(t, nil), receive(t), receive(t)
	b.status <- http.StatusBadRequest // not tried again
	w.subscribe(meta.ToAll, a.URL, b.URL)
	for i := range 2 {
		w.write(fmt.Sprintf("cpu usage=%d 5\n", i))
		for _, to := range []*receiver{a, b} {
			if got := to.next(t); !strings.HasSuffix(got, fmt.Sprintf("cpu usage=%d 5\n", i)) {
				t.Errorf("write %d came as %s", i, got)
			}
		}
	}
	eventually(t, "the refused point is counted", func() bool { return w.dropped(b.URL, "failed") == 1 })
	if n := w.dropped(a.URL, "failed"); n != 0 {
		t.Errorf("%d points were dropped for the other", n)
	}
}

func TestAnyGoesToOneInTurnAndToTheNextWhereOneFails(t *testing.T) {
	w, a, b := open(t, nil), receive(t), receive(t)
	w.subscribe(meta.ToAny, a.URL, b.URL)
	w.write("cpu usage=0 5\n")
	a.next(t)
	w.write("cpu usage=1 5\n")
	b.next(t)
	a.status <- http.StatusServiceUnavailable
	w.write("cpu usage=2 5\n")
	for _, to := range []*receiver{a, b} {
		if got := to.next(t); !strings.HasSuffix(got, "cpu usage=2 5\n") {
			t.Errorf("got %s", got)
		}
	}
	w.Close()
	if len(a.got)+len(b.got) > 0 || w.dropped("ANY", "failed") > 0 {
		t.Errorf("%d and %d more requests, %d points dropped", len(a.got), len(b.got), w.dropped("ANY", "failed"))
	}
}

func TestWhatFailsForAMomentIsSentAgain(t *testing.T) {
	w, to := open(t, nil), receive(t)
	to.status <- http.StatusServiceUnavailable
	w.subscribe(meta.ToAll, to.URL)
	w.write("cpu usage=1 5\n")
	if first, second := to.next(t), to.next(t); first != second {
		t.Errorf("sent %s and then %s", first, second)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	w, to := open(t, nil), receive(t)
	to.status <- http.StatusFound
	w.subscribe(meta.ToAll, to.URL)
	w.write("cpu usage=1 5\n")
	to.next(t)
	eventually(t, "the point is dropped", func() bool { return w.dropped(to.URL, "failed") == 1 })
	if len(to.got) > 0 {
		t.Errorf("it was sent on: %s", to.next(t))
	}
}

func TestAFullQueueDropsAndTheWriteDoesNotWait(t *testing.T) {
	stuck := make(chan struct{})
	to := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
	defer to.Close()
	defer close(stuck)
	w := open(t, func(c *Config) { c.TotalBufferBytes = 4 * maxPayload })
	w.subscribe(meta.ToAll, to.URL)
	text := strings.Repeat("log msg=\""+strings.Repeat("x", 1000)+"\" 1\n", 400)
	start := time.Now()
	for range 10 {
		w.write(text)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("ten writes took %v", took)
	}
	if n := w.dropped(to.URL, "full"); n < 6*400 || n%400 != 0 {
		t.Errorf("%d points were dropped", n)
	}
	if held := w.total.Load(); held > maxPayload {
		t.Errorf("the queue holds %d bytes", held)
	}
}

func TestDroppedSubscriptionGetsNothingMore(t *testing.T) {
	w, to := open(t, nil), receive(t)
	w.subscribe(meta.ToAll, to.URL)
	w.write("cpu usage=1 5\n")
	to.next(t)
	if err := w.store.DropSubscription(t.Context(), "db", "autogen", "s"); err != nil {
		t.Fatal(err)
	}
	w.write("cpu usage=2 5\n")
	eventually(t, "its queue is gone", func() bool {
		w.mu.RLock()
		defer w.mu.RUnlock()
		return len(w.lanes) == 0
	})
	if len(to.got) > 0 {
		t.Errorf("it got %s", to.next(t))
	}
}

func TestDroppedSubscriptionGivesItsRoomBackAtOnce(t *testing.T) {
	stuck, got := make(chan struct{}), make(chan struct{}, 10)
	to := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		got <- struct{}{}
		<-stuck
	}))
	defer to.Close()
	defer close(stuck)
	w := open(t, nil)
	w.subscribe(meta.ToAll, to.URL)
	w.write("cpu usage=1 5\n")
	<-got
	w.write("cpu usage=2 5\n")
	if w.total.Load() == 0 {
		t.Fatal("nothing is queued")
	}
	if err := w.store.DropSubscription(t.Context(), "db", "autogen", "s"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is queued", func() bool { return w.total.Load() == 0 })
	if len(got) > 0 {
		t.Errorf("%d more requests were sent", len(got))
	}
	w.Close() // and with it the sender
	if families, err := w.reg.Gather(); err != nil || strings.Contains(fmt.Sprint(families), to.URL) {
		t.Errorf("the metrics still tell of it: %v, %v", families, err)
	}
}

func TestWriteThatBeganBeforeADropMakesNoQueue(t *testing.T) {
	w := open(t, nil)
	r := receive(t)
	w.subscribe(meta.ToAll, r.URL)
	before := w.store.Snapshot().Database("db").Policy("")
	if err := w.store.DropSubscription(t.Context(), "db", "autogen", "s"); err != nil {
		t.Fatal(err)
	}
	w.Publish("db", before, parse(t, "m v=1 1"))
	w.mu.RLock()
	defer w.mu.RUnlock()
	if len(w.lanes) > 0 {
		t.Errorf("a dropped subscription has queues: %v", w.lanes)
	}
}

func TestPrivateDestinationsAreRefused(t *testing.T) {
	w, to := open(t, func(c *Config) { c.Allow = nil }), receive(t)
	_, port, _ := net.SplitHostPort(to.Listener.Addr().String())
	var all []string
	for _, host := range []string{
		"127.0.0.1", "localhost", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "127.1.2.3", "0.0.0.0", "[::]",
		"10.0.0.1", "172.16.3.4", "192.168.1.1", "[fd00::1]", "169.254.169.254", "[fe80::1]", "100.64.0.1",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1", "255.255.255.255", "user@127.0.0.1",
	} {
		for _, scheme := range []string{"http", "udp"} {
			all = append(all, scheme+"://"+host+":"+port)
		}
	}
	policy := w.store.Snapshot().Database("db").Policy("")
	for _, text := range all {
		d, err := w.dial(text, "db", policy.Name)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		p := &payload{}
		encode(parse(t, "cpu usage=1 5\n"), func(q *payload) bool { p = q; return true })
		err = d.send(t.Context(), []*payload{p})
		if err == nil || !strings.Contains(err.Error(), "subscriber-allow") && !unroutable(err) {
			t.Errorf("%s: %v, want it refused", text, err)
		}
		d.close()
	}
	if len(to.got) > 0 {
		t.Errorf("it was reached: %s", to.next(t))
	}
}

// unroutable reports whether a name or an address leads nowhere at all on this
// machine.
func unroutable(err error) bool {
	return strings.Contains(err.Error(), "no such host") || strings.Contains(err.Error(), "no suitable address")
}

func TestAddressesOfThisMachineAreRefused(t *testing.T) {
	g := guard{own: func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.ParseIP("203.0.113.5"), Mask: net.CIDRMask(24, 32)}}, nil
	}}
	if err := g.control("tcp4", "203.0.113.5:8086", nil); err == nil {
		t.Error("its own address is dialled")
	}
	if err := g.control("tcp4", "203.0.113.6:8086", nil); err != nil {
		t.Errorf("its neighbour is not: %v", err)
	}
	g.allow = []netip.Prefix{netip.MustParsePrefix("203.0.113.5/32")}
	if err := g.control("tcp4", "203.0.113.5:8086", nil); err != nil {
		t.Errorf("its own address, allowed: %v", err)
	}
}

func TestPolicyWithoutSubscriptionsCostsNothing(t *testing.T) {
	w := open(t, nil)
	policy := w.store.Snapshot().Database("db").Policy("")
	b := parse(t, "cpu usage=1 5\n")
	if n := testing.AllocsPerRun(100, func() { w.Publish("db", policy, b) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
