package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/varvedb/varve/internal/tracing"
	"github.com/varvedb/varve/model"
)

// UnaryHandler answers a request with one frame. req is its own; the answer
// must not be changed any more once it was returned.
type UnaryHandler func(ctx context.Context, from Caller, req []byte) ([]byte, error)

// StreamHandler answers a request with many frames. req is its own. send may
// be called by one goroutine at a time and blocks while the other side does
// not keep up; what it is given must not be changed any more.
type StreamHandler func(ctx context.Context, from Caller, req []byte, send func([]byte) error) error

// Server answers calls. Methods are registered before Serve.
type Server struct {
	cfg     Config
	log     *slog.Logger
	metrics *serverMetrics
	creds   *serverCredentials
	grpc    *grpc.Server

	admits func(node uint64) bool // nil: every node of the cluster
	tracer *tracing.Tracer        // nil: nothing is traced

	methods  map[string]*method
	inflight atomic.Int64 // bytes of the requests that are worked on

	mu struct {
		sync.Mutex
		listeners []*listener
	}
}

// method is what answers a name; one of unary and stream is set.
type method struct {
	name    string
	open    bool // also for a node that is about to join
	unary   UnaryHandler
	stream  StreamHandler
	metrics *methodMetrics
}

// pathPrefix is the service in the path of every method.
const pathPrefix = "/varve/"

const methodPing = "rpc.ping"

// Windows of the flow control of HTTP/2, fixed: they bound what a connection
// buffers, and are wide enough for a large batch on a fast network.
const (
	streamWindow     = 4 << 20
	connectionWindow = 16 << 20
	ioBuffer         = 64 << 10
	maxStreams       = 4096 // calls of one connection at a time; more wait at the caller
	maxHeaderBytes   = 8 << 10
)

// NewServer gives a Server that does not listen yet. self is what it tells
// those who connect. t is nil for plain connections, reg may be nil.
func NewServer(cfg Config, self Identity, t *TLS, log *slog.Logger, reg prometheus.Registerer) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: log, metrics: newServerMetrics(reg), methods: make(map[string]*method)}
	s.creds = newServerCredentials(cfg, self, t, log, s.metrics)
	s.grpc = grpc.NewServer(
		grpc.Creds(s.creds),
		grpc.ForceServerCodecV2(codec{}),
		grpc.UnknownServiceHandler(s.handle),
		grpc.ConnectionTimeout(cfg.HandshakeTimeout),
		grpc.MaxRecvMsgSize(cfg.MaxFrameBytes+frameOverhead),
		grpc.MaxSendMsgSize(cfg.MaxFrameBytes+frameOverhead),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.ReadBufferSize(ioBuffer),
		grpc.WriteBufferSize(ioBuffer),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: cfg.Silence, Timeout: cfg.Silence}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: cfg.KeepAlive / 2, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	s.Unary(methodPing, func(context.Context, Caller, []byte) ([]byte, error) { return nil, nil })
	return s, nil
}

// Admit sets what says whether a node is a member now; one that was removed
// may have a certificate still. It is called before Serve.
func (s *Server) Admit(f func(node uint64) bool) { s.admits = f }

// Trace has calls that come with a trace be part of it. It is called before Serve.
func (s *Server) Trace(t *tracing.Tracer) { s.tracer = t }

// Unary registers what answers a method. The name is that of the package, a
// dot and a word.
func (s *Server) Unary(name string, h UnaryHandler) { s.register(&method{name: name, unary: h}) }

// Stream registers what answers a method with many frames.
func (s *Server) Stream(name string, h StreamHandler) { s.register(&method{name: name, stream: h}) }

// Open registers a method that a node without an identity may call as well. The
// handler must not trust its caller.
func (s *Server) Open(name string, h UnaryHandler) {
	s.register(&method{name: name, unary: h, open: true})
}

func (s *Server) register(m *method) {
	if s.methods[pathPrefix+m.name] != nil {
		panic("rpc: method " + m.name + " is registered twice")
	}
	m.metrics = s.metrics.method(m.name)
	s.methods[pathPrefix+m.name] = m
}

// Serve answers calls on l until Close; it returns nil then.
func (s *Server) Serve(l net.Listener) error {
	limited := newListener(l, s.cfg, s.metrics)
	s.mu.Lock()
	s.mu.listeners = append(s.mu.listeners, limited)
	s.mu.Unlock()
	if err := s.grpc.Serve(limited); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve rpc on %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown takes no more calls and returns when those that run are answered.
// When ctx ends before, they are cut off and ctx's error is given.
func (s *Server) Shutdown(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	// Connections that have not said who they are would be waited for.
	s.mu.Lock()
	for _, l := range s.mu.listeners {
		l.closeWaiting()
	}
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
		return ctx.Err()
	}
}

// Close cuts off all calls and connections and waits for the handlers. It is
// safe to call twice.
func (s *Server) Close() { s.grpc.Stop() }

// handle answers any call.
func (s *Server) handle(_ any, stream grpc.ServerStream) error {
	ctx := stream.Context()
	path, _ := grpc.MethodFromServerStream(stream)
	m := s.methods[path]
	if m == nil {
		s.metrics.refused.WithLabelValues("unknown method").Inc()
		return status.Errorf(codes.Unimplemented, "this node does not know %.64q", path)
	}
	parent := ""
	if said := metadata.ValueFromIncomingContext(ctx, tracing.ParentKey); len(said) == 1 {
		parent = said[0]
	}
	ctx, from, err := caller(ctx)
	if err != nil {
		return err
	}
	var req frame
	if err := stream.RecvMsg(&req); err != nil {
		if status.Code(err) == codes.ResourceExhausted {
			s.metrics.refused.WithLabelValues("oversized frame").Inc()
		}
		return err
	}
	start := time.Now()
	ctx, span := s.tracer.Call(ctx, parent, "answer "+m.name)
	err = s.answer(ctx, m, from, req.body, stream)
	span.End(err)
	m.metrics.done(time.Since(start), len(req.body), err)
	if err == nil {
		return nil
	}
	return stream.SendMsg(&frame{kind: frameError, body: appendError(nil, err)})
}

// answer runs the handler. A panic in it is an error of that call.
func (s *Server) answer(ctx context.Context, m *method, from Caller, req []byte, stream grpc.ServerStream) (err error) {
	switch {
	case from.Node == 0 && !m.open:
		return fmt.Errorf("%s is for members of the cluster: %w", m.name, model.ErrInvalid)
	case from.Node != 0 && s.admits != nil && !s.admits(from.Node):
		// It passes where this node has not heard of a new one yet.
		s.metrics.refused.WithLabelValues("not a member").Inc()
		return fmt.Errorf("node %d is not a member of the cluster: %w", from.Node, model.ErrUnavailable)
	}
	size := int64(len(req))
	defer s.inflight.Add(-size)
	if held := s.inflight.Add(size); held > s.cfg.MaxInflightBytes {
		s.metrics.overloaded.Inc()
		return fmt.Errorf("%w: requests of %d bytes are being worked on", model.ErrOverloaded, held-size)
	}
	defer func() {
		if p := recover(); p != nil {
			s.metrics.panics.Inc()
			s.log.Error("call panicked", "method", m.name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errors.New("internal error")
		}
	}()
	if m.unary == nil {
		return s.answerStream(ctx, m, from, req, stream)
	}
	answer, err := m.unary(ctx, from, req)
	if err != nil {
		return err
	}
	return s.send(stream, answer)
}

func (s *Server) send(stream grpc.ServerStream, body []byte) error {
	if len(body) > s.cfg.MaxFrameBytes {
		return fmt.Errorf("answer of %d bytes: at most %d fit: %w", len(body), s.cfg.MaxFrameBytes, model.ErrTooLarge)
	}
	return stream.SendMsg(&frame{kind: frameData, body: body})
}

// answerStream runs a handler that sends many frames, and between them says
// that it is there.
func (s *Server) answerStream(ctx context.Context, m *method, from Caller, req []byte, stream grpc.ServerStream) error {
	var mu sync.Mutex // held while a frame is sent
	sent := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	var idle sync.WaitGroup
	defer idle.Wait()
	defer cancel()
	idle.Go(func() {
		tick := time.NewTicker(s.cfg.KeepAlive)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			mu.Lock()
			var err error
			if time.Since(sent) >= s.cfg.KeepAlive/2 {
				err = stream.SendMsg(&frame{kind: frameIdle})
			}
			mu.Unlock()
			if err != nil {
				cancel() // nobody listens any more
				return
			}
		}
	})
	return m.stream(ctx, from, req, func(body []byte) error {
		mu.Lock()
		defer mu.Unlock()
		sent = time.Now()
		return s.send(stream, body)
	})
}

// caller gives who is at the other end of the connection, and a context that
// does not say so: etcd in this process would take its caller for that of ours,
// and panics at the sight of credentials that are not its own.
func caller(ctx context.Context) (context.Context, Caller, error) {
	p, ok := peer.FromContext(ctx)
	if ok {
		if info, ok := p.AuthInfo.(*authInfo); ok {
			return peer.NewContext(ctx, &peer.Peer{Addr: p.Addr}), info.caller, nil
		}
	}
	return ctx, Caller{}, status.Error(codes.Unauthenticated, "the connection has no identity")
}
