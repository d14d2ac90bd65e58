package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/peer"

	"github.com/varvedb/varve/model"
)

var discard = slog.New(slog.DiscardHandler)

// quick is a configuration for tests on real sockets.
func quick() Config {
	cfg := DefaultConfig()
	cfg.KeepAlive, cfg.Silence = 20*time.Millisecond, 200*time.Millisecond
	return cfg
}

var (
	serverID = Identity{Cluster: "c", Node: 1}
	clientID = Identity{Cluster: "c", Node: 2}
)

// serve runs a server with the methods that register adds, and gives its
// address.
func serve(t testing.TB, cfg Config, tls *TLS, register func(*Server)) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, cfg, tls, register), l.Addr().String()
}

func serveOn(t testing.TB, l net.Listener, cfg Config, tls *TLS, register func(*Server)) *Server {
	t.Helper()
	s, err := NewServer(cfg, serverID, tls, discard, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	register(s)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(l); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		s.Close()
		wg.Wait()
	})
	return s
}

// refusals gives how often something was refused for a reason.
func refusals(t testing.TB, s *Server, reason string) float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(s.metrics.refused)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func pool(t testing.TB, cfg Config, self Identity, tls *TLS) *Pool {
	t.Helper()
	p, err := NewPool(cfg, self, tls, discard, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func echo(_ context.Context, _ Caller, req []byte) ([]byte, error) { return req, nil }

func TestCallsCarryBytesAndSayWhoCalls(t *testing.T) {
	var from Caller
	_, address := serve(t, quick(), nil, func(s *Server) {
		s.Unary("test.echo", func(ctx context.Context, c Caller, req []byte) ([]byte, error) {
			from = c
			return req, nil
		})
	})
	c := pool(t, quick(), clientID, nil).Node(1, address)
	for _, size := range []int{0, 1, 16 << 10, 5 << 20} {
		want := bytes.Repeat([]byte{'x'}, size)
		got, err := c.Call(t.Context(), "test.echo", want)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("echo of %d bytes gave %d bytes, %v", size, len(got), err)
		}
	}
	if from.Identity != clientID || from.Remote == "" {
		t.Errorf("the caller was %+v, want %+v", from, clientID)
	}
	if _, err := c.Call(t.Context(), "test.nothing", nil); !errors.Is(err, model.ErrNotSupported) {
		t.Errorf("an unknown method gave %v, want %v", err, model.ErrNotSupported)
	}
}

func TestHandlersSeeNothingOfGRPCsPeer(t *testing.T) {
	_, address := serve(t, quick(), nil, func(s *Server) {
		s.Unary("test.peer", func(ctx context.Context, _ Caller, _ []byte) ([]byte, error) {
			if p, ok := peer.FromContext(ctx); ok && p.AuthInfo != nil {
				return nil, fmt.Errorf("the context has %T", p.AuthInfo)
			}
			return nil, nil
		})
	})
	if _, err := pool(t, quick(), clientID, nil).Conn(address).Call(t.Context(), "test.peer", nil); err != nil {
		t.Error(err)
	}
}

func TestANodeThatWasRemovedIsNotAnswered(t *testing.T) {
	var removed atomic.Bool
	s, address := serve(t, quick(), nil, func(s *Server) {
		s.Unary("test.echo", echo)
		s.Admit(func(node uint64) bool { return node != clientID.Node || !removed.Load() })
	})
	c := pool(t, quick(), clientID, nil).Conn(address)
	if _, err := c.Call(t.Context(), "test.echo", nil); err != nil {
		t.Fatal(err)
	}
	removed.Store(true)
	if _, err := c.Call(t.Context(), "test.echo", nil); !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), "not a member") {
		t.Errorf("a removed node was answered %v", err)
	}
	if refusals(t, s, "not a member") == 0 {
		t.Error("that was not counted")
	}
}

func TestErrorsKeepTheirKindsOnTheWay(t *testing.T) {
	plain := errors.New("the disk is on fire")
	text := &model.Error{Kind: model.ErrNotFound, Text: "database not found: garden"}
	tests := []struct {
		err   error
		kinds []error
		same  bool // a *model.Error with the same text
	}{
		{err: plain},
		{err: fmt.Errorf("write shard 7: %w", model.ErrStale), kinds: []error{model.ErrStale}},
		{err: fmt.Errorf("%w: %w", model.ErrStale, model.ErrUnavailable), kinds: []error{model.ErrStale, model.ErrUnavailable}},
		{err: text, kinds: []error{model.ErrNotFound}, same: true},
		{err: fmt.Errorf("read shard 7: %w", text), kinds: []error{model.ErrNotFound}, same: true},
		{err: errors.Join(text, model.ErrMoved), kinds: []error{model.ErrNotFound, model.ErrMoved}, same: true},
		{err: context.DeadlineExceeded, kinds: []error{model.ErrUnavailable}},
	}
	for _, kind := range kinds {
		tests = append(tests, struct {
			err   error
			kinds []error
			same  bool
		}{err: kind, kinds: []error{kind}})
	}
	var err error
	_, address := serve(t, quick(), nil, func(s *Server) {
		s.Unary("test.fail", func(context.Context, Caller, []byte) ([]byte, error) { return nil, err })
		s.Stream("test.fails", func(context.Context, Caller, []byte, func([]byte) error) error { return err })
	})
	c := pool(t, quick(), clientID, nil).Conn(address)
	for _, test := range tests {
		err = test.err
		_, unary := c.Call(t.Context(), "test.fail", nil)
		stream := c.Stream(t.Context(), "test.fails", nil, func([]byte) error { return nil })
		for _, got := range []error{unary, stream} {
			if got == nil || got.Error() != err.Error() {
				t.Errorf("%q came as %v", err, got)
				continue
			}
			for _, kind := range kinds {
				want := false
				for _, k := range test.kinds {
					want = want || k == kind
				}
				if errors.Is(got, kind) != want {
					t.Errorf("%q came with errors.Is(%q) = %v", err, kind, !want)
				}
			}
			var final *model.Error
			if errors.As(got, &final) != test.same || test.same && *final != *text {
				t.Errorf("%q came with the text for clients %v", err, final)
			}
			if errors.Is(got, context.DeadlineExceeded) {
				t.Errorf("%q of the other side looks like one of this side", err)
			}
		}
	}
}

func TestStreamsSendManyFramesAndEndWithTheirError(t *testing.T) {
	_, address := serve(t, quick(), nil, func(s *Server) {
		s.Stream("test.count", func(_ context.Context, _ Caller, req []byte, send func([]byte) error) error {
			for i := range 1000 {
				if err := send([]byte(fmt.Sprint(i))); err != nil {
					return err
				}
			}
			return model.ErrTrimmed
		})
	})
	c := pool(t, quick(), clientID, nil).Conn(address)
	next := 0
	err := c.Stream(t.Context(), "test.count", nil, func(b []byte) error {
		if string(b) != fmt.Sprint(next) {
			return fmt.Errorf("frame %q, want %d", b, next)
		}
		next++
		return nil
	})
	if next != 1000 || !errors.Is(err, model.ErrTrimmed) {
		t.Errorf("%d frames, %v", next, err)
	}
	enough := errors.New("enough")
	if err := c.Stream(t.Context(), "test.count", nil, func([]byte) error { return enough }); err != enough {
		t.Errorf("the error of the receiver came as %v", err)
	}
}

func TestTheHandlerOfAStreamEndsWhenItsCallerGoes(t *testing.T) {
	ended := make(chan error, 1)
	_, address := serve(t, quick(), nil, func(s *Server) {
		s.Stream("test.wait", func(ctx context.Context, _ Caller, _ []byte, send func([]byte) error) error {
			if err := send([]byte("begun")); err != nil {
				return err
			}
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		})
	})
	c := pool(t, quick(), clientID, nil).Conn(address)
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Stream(ctx, "test.wait", nil, func([]byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled stream gave %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler's context ended with %v", err)
	}
}

func TestAStreamThatIsBusyStays(t *testing.T) {
	_, address := serve(t, quick(), nil, func(s *Server) {
		s.Stream("test.busy", func(ctx context.Context, _ Caller, _ []byte, send func([]byte) error) error {
			select { // twice what would be too long a silence
			case <-time.After(400 * time.Millisecond):
			case <-ctx.Done():
			}
			return send([]byte("done"))
		})
	})
	c := pool(t, quick(), clientID, nil).Conn(address)
	var got string
	if err := c.Stream(t.Context(), "test.busy", nil, func(b []byte) error { got = string(b); return nil }); err != nil || got != "done" {
		t.Errorf("a stream that takes its time gave %q, %v", got, err)
	}
}

// stoppable is a network whose bytes can be held back, as those of a process
// that is stopped.
type stoppable struct {
	net.Listener
	mu      sync.Mutex
	stopped chan struct{} // not nil: closed when it goes on
}

func (s *stoppable) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	return &stoppableConn{c, s}, err
}

type stoppableConn struct {
	net.Conn
	network *stoppable
}

func (c *stoppableConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.network.wait()
	return n, err
}

func (c *stoppableConn) Write(b []byte) (int, error) {
	c.network.wait()
	return c.Conn.Write(b)
}

func (s *stoppable) wait() {
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

func TestAStoppedNodeFailsCallsAndTakesThemAgainLater(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	network := &stoppable{Listener: l}
	begun, release := make(chan struct{}), make(chan struct{})
	serveOn(t, network, quick(), nil, func(s *Server) {
		s.Unary("test.echo", echo)
		s.Unary("test.hang", func(context.Context, Caller, []byte) ([]byte, error) {
			close(begun)
			<-release
			return nil, nil
		})
		s.Stream("test.stream", func(_ context.Context, _ Caller, _ []byte, send func([]byte) error) error {
			defer func() { <-release }()
			return send(nil)
		})
	})
	c := pool(t, quick(), clientID, nil).Conn(l.Addr().String())
	hung := make(chan error, 1)
	go func() {
		_, err := c.Call(t.Context(), "test.hang", nil)
		hung <- err
	}()
	streamed := make(chan error, 1)
	streaming := make(chan struct{})
	go func() {
		streamed <- c.Stream(t.Context(), "test.stream", nil, func([]byte) error { close(streaming); return nil })
	}()
	<-begun
	<-streaming
	network.mu.Lock()
	network.stopped = make(chan struct{})
	network.mu.Unlock()
	if err := <-hung; !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), errSilent.Error()) {
		t.Errorf("the call on its way to a stopped node gave %v, want %q in it", err, errSilent)
	}
	if err := <-streamed; !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("the stream of a stopped node gave %v", err)
	}
	if _, err := c.Call(t.Context(), "test.echo", nil); !errors.Is(err, model.ErrUnavailable) || c.Healthy() {
		t.Errorf("the next call gave %v, healthy = %v", err, c.Healthy())
	}
	network.mu.Lock()
	close(network.stopped)
	network.stopped = nil
	network.mu.Unlock()
	close(release)
	await(t, "the node answers again", func() bool {
		_, err := c.Call(t.Context(), "test.echo", nil)
		return err == nil && c.Healthy()
	})
}

// await polls for what another process, or the kernel, brings about.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in 20 s", what)
		}
	}
}

func TestADeadNodeFailsCallsAtOnce(t *testing.T) {
	s, address := serve(t, quick(), nil, func(s *Server) { s.Unary("test.echo", echo) })
	c := pool(t, quick(), clientID, nil).Conn(address)
	if _, err := c.Call(t.Context(), "test.echo", nil); err != nil {
		t.Fatal(err)
	}
	s.Close()
	await(t, "the node is known to be dead", func() bool { return !c.Healthy() })
	_, err := c.Call(t.Context(), "test.echo", nil)
	if !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a call of a dead node gave %v", err)
	}
}

func TestAPortThatSaysNothingIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections by itself
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := pool(t, quick(), clientID, nil).Conn(l.Addr().String())
	_, err = c.Call(t.Context(), "test.echo", nil)
	if !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), errNoGreeting.Error()) {
		t.Errorf("the call gave %v, want %q in it", err, errNoGreeting)
	}
}

func TestOthersAreRefusedInOneLineOnBothSides(t *testing.T) {
	var log strings.Builder
	var mu sync.Mutex
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(quick(), serverID, nil, slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Unary("test.echo", echo)
	s.Open("test.open", echo)
	go s.Serve(l)
	defer s.Close()
	address := l.Addr().String()
	refused := func(c *Conn, want string) {
		t.Helper()
		_, err := c.Call(t.Context(), "test.echo", nil)
		if !errors.Is(err, ErrRefused) || !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("the call gave %v, want a refusal with %q", err, want)
		}
		await(t, "the server has logged "+want, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return strings.Contains(strings.ReplaceAll(log.String(), `\"`, `"`), want)
		})
	}
	refused(pool(t, quick(), Identity{"other", 3}, nil).Conn(address), `this is cluster "c", the caller is of cluster "other"`)
	refused(pool(t, quick(), clientID, nil).Node(7, address), "this is node 1, not node 7")

	joining := pool(t, quick(), Identity{}, nil).Conn(address)
	if _, err := joining.Call(t.Context(), "test.open", nil); err != nil {
		t.Errorf("a joining node was refused what is open: %v", err)
	}
	if _, err := joining.Call(t.Context(), "test.echo", nil); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("a joining node called what is for members: %v", err)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func TestNodesOfANewerFormatAreRefused(t *testing.T) {
	s, address := serve(t, quick(), nil, func(s *Server) {})
	for _, test := range []struct{ sends, want string }{
		{string((&hello{oldest: 2, newest: 3, from: clientID}).append(nil)), "the caller speaks formats 2 to 3, this node 1 to 1"},
		{"varverpc\x02\x00\x00", "greets in version 2"},
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, test.sends); err != nil {
			t.Fatal(err)
		}
		b, err := readGreeting(c)
		if err != nil {
			t.Fatal(err)
		}
		if w, err := decodeWelcome(b); err != nil || !strings.Contains(w.reason, test.want) {
			t.Errorf("the answer to %q was %+v, %v", test.sends, w, err)
		}
	}
	await(t, "both are counted", func() bool { return refusals(t, s, "format") == 2 })
}

func TestGarbageIsClosedAndCounted(t *testing.T) {
	s, address := serve(t, quick(), nil, func(s *Server) { s.Unary("test.echo", echo) })
	for _, garbage := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		helloMagic + "\xff\xff",
		helloMagic + "\x00\x03\xff\xff\xff",
		strings.Repeat("\x00", 1<<16),
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, garbage) // it may be closed already
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %.20q the connection stayed open: %v", garbage, err)
		}
		c.Close()
	}
	await(t, "all are counted", func() bool { return refusals(t, s, "garbage") == 5 })
	if _, err := pool(t, quick(), clientID, nil).Conn(address).Call(t.Context(), "test.echo", nil); err != nil {
		t.Errorf("after the garbage a call gave %v", err)
	}
}

func TestManyHalfOpenConnectionsKeepNobodyOut(t *testing.T) {
	cfg := quick()
	cfg.MaxHandshakes = 8
	s, address := serve(t, cfg, nil, func(s *Server) { s.Unary("test.echo", echo) })
	for range 200 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if _, err := pool(t, cfg, clientID, nil).Conn(address).Call(t.Context(), "test.echo", nil); err != nil {
		t.Errorf("behind 200 half-open connections a call gave %v", err)
	}
	await(t, "the oldest are closed", func() bool { return refusals(t, s, reasonHalfOpen) >= 192 })
	if n := refusals(t, s, "garbage"); n != 0 {
		t.Errorf("%v of them are counted as garbage, too", n)
	}
}

func TestConnectionsBeyondTheLimitAreRefused(t *testing.T) {
	cfg := quick()
	cfg.MaxConnections = 2
	_, address := serve(t, cfg, nil, func(s *Server) { s.Unary("test.echo", echo) })
	first := pool(t, cfg, clientID, nil)
	for i := range 2 {
		p := first
		if i > 0 {
			p = pool(t, cfg, clientID, nil)
		}
		if _, err := p.Conn(address).Call(t.Context(), "test.echo", nil); err != nil {
			t.Fatal(err)
		}
	}
	third := pool(t, cfg, clientID, nil).Conn(address)
	if _, err := third.Call(t.Context(), "test.echo", nil); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "too many") {
		t.Errorf("the third connection gave %v", err)
	}
	first.Close()
	await(t, "there is room again", func() bool {
		_, err := third.Call(t.Context(), "test.echo", nil)
		return err == nil
	})
}

func TestOversizedFramesAreRefusedByBothSides(t *testing.T) {
	small, large := quick(), quick()
	small.MaxFrameBytes = 1 << 20
	s, address := serve(t, small, nil, func(s *Server) {
		s.Unary("test.echo", echo)
		s.Unary("test.large", func(context.Context, Caller, []byte) ([]byte, error) { return make([]byte, 2<<20), nil })
	})
	polite, rude := pool(t, small, clientID, nil).Conn(address), pool(t, large, clientID, nil).Conn(address)
	for _, c := range []*Conn{polite, rude} {
		if _, err := c.Call(t.Context(), "test.echo", make([]byte, 1<<20+1)); !errors.Is(err, model.ErrTooLarge) {
			t.Errorf("a request over the limit gave %v", err)
		}
		if _, err := c.Call(t.Context(), "test.echo", make([]byte, 1<<20)); err != nil {
			t.Errorf("a request at the limit gave %v", err)
		}
	}
	if n := refusals(t, s, "oversized frame"); n != 1 {
		t.Errorf("%v frames counted as oversized, want 1", n)
	}
	if _, err := polite.Call(t.Context(), "test.large", nil); !errors.Is(err, model.ErrTooLarge) {
		t.Errorf("an answer over the limit gave %v", err)
	}
}

func TestRequestsBeyondTheBudgetAreOverload(t *testing.T) {
	cfg := quick()
	cfg.MaxFrameBytes = 1 << 20
	cfg.MaxInflightBytes = 1 << 20
	begun, release := make(chan struct{}), make(chan struct{})
	s, address := serve(t, cfg, nil, func(s *Server) {
		s.Unary("test.echo", echo)
		s.Unary("test.hang", func(context.Context, Caller, []byte) ([]byte, error) {
			close(begun)
			<-release
			return nil, nil
		})
	})
	c := pool(t, cfg, clientID, nil).Conn(address)
	done := make(chan error, 1)
	go func() {
		_, err := c.Call(t.Context(), "test.hang", make([]byte, 1<<20))
		done <- err
	}()
	<-begun
	if _, err := c.Call(t.Context(), "test.echo", []byte("x")); !errors.Is(err, model.ErrOverloaded) {
		t.Errorf("one byte too many gave %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := c.Call(t.Context(), "test.echo", []byte("x")); err != nil || s.inflight.Load() != 0 {
		t.Errorf("with room again: %v; %d bytes are accounted for", err, s.inflight.Load())
	}
}

func TestAPanicIsAnErrorOfItsCall(t *testing.T) {
	_, address := serve(t, quick(), nil, func(s *Server) {
		s.Unary("test.panic", func(context.Context, Caller, []byte) ([]byte, error) { panic("no") })
		s.Stream("test.panics", func(context.Context, Caller, []byte, func([]byte) error) error { panic("no") })
	})
	c := pool(t, quick(), clientID, nil).Conn(address)
	if _, err := c.Call(t.Context(), "test.panic", nil); err == nil || err.Error() != "internal error" {
		t.Errorf("a panic gave %v", err)
	}
	if err := c.Stream(t.Context(), "test.panics", nil, nil); err == nil || err.Error() != "internal error" {
		t.Errorf("a panic in a stream gave %v", err)
	}
}

func TestShutdownLetsCallsEnd(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s, address := serve(t, quick(), nil, func(s *Server) {
		s.Unary("test.hang", func(context.Context, Caller, []byte) ([]byte, error) {
			close(begun)
			<-release
			return []byte("done"), nil
		})
	})
	c := pool(t, quick(), clientID, nil).Conn(address)
	type result struct {
		answer []byte
		err    error
	}
	called := make(chan result, 1)
	go func() {
		answer, err := c.Call(t.Context(), "test.hang", nil)
		called <- result{answer, err}
	}()
	<-begun
	silent, err := net.Dial("tcp", address) // must not hold it up
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	await(t, "new connections are refused", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(release)
	if r := <-called; r.err != nil || string(r.answer) != "done" {
		t.Errorf("the call that was on its way gave %q, %v", r.answer, r.err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func BenchmarkCall(b *testing.B) {
	for _, size := range []int{100, 100 << 10, 1 << 20, 5 << 20} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			_, address := serve(b, DefaultConfig(), nil, func(s *Server) {
				s.Unary("test.sink", func(context.Context, Caller, []byte) ([]byte, error) { return nil, nil })
			})
			c := pool(b, DefaultConfig(), clientID, nil).Conn(address)
			req := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Call(b.Context(), "test.sink", req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
