package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/varvedb/varve/internal/tracing"
	"github.com/varvedb/varve/model"
)

// Conn calls the node at one address. It connects at the first call, and again
// by itself after a loss. All methods may be called concurrently.
//
// While it is in use it asks the other side every KeepAlive whether it is
// there. Once that has said nothing for Silence, or cannot be connected to,
// calls fail at once with model.ErrUnavailable, those on their way too, until
// it answers again.
type Conn struct {
	pool *Pool
	to   target

	grpc    atomic.Pointer[grpc.ClientConn] // nil before the first call and after a rest
	down    atomic.Pointer[error]           // why calls fail at once; nil: they are tried
	trouble atomic.Pointer[error]           // of the last try to connect; nil: it went well
	used    atomic.Int64                    // time of the last call, in nanoseconds
	heard   atomic.Int64                    // time of the last answer

	mu sync.Mutex // held while the connection is made or taken away
}

const (
	// rest is how long a Conn without calls stays connected.
	rest = 10 * time.Minute
	// firstBackoff and lastBackoff bound the pause between two tries to connect.
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = time.Second
)

func newConn(p *Pool, to target) *Conn { return &Conn{pool: p, to: to} }

// Address gives where the Conn goes.
func (c *Conn) Address() string { return c.to.address }

// Healthy reports whether a call would be tried. What was never tried is
// taken for healthy.
func (c *Conn) Healthy() bool { return c.down.Load() == nil }

// Ping asks whether the other side is there and takes this node for a member.
func (c *Conn) Ping(ctx context.Context) error {
	_, err := c.Call(ctx, methodPing, nil)
	return err
}

// Call asks for one answer, which is the caller's. It waits as long as ctx
// lives and the other side is there. req must not be changed any more: it may
// still be on its way when Call returns.
func (c *Conn) Call(ctx context.Context, method string, req []byte) ([]byte, error) {
	start := time.Now()
	ctx, span := traced(ctx, method)
	answer, err := c.call(ctx, method, req)
	span.End(err)
	c.pool.metrics.done(method, time.Since(start), len(req), err)
	return answer, err
}

func (c *Conn) call(ctx context.Context, method string, req []byte) ([]byte, error) {
	conn, err := c.open(req)
	if err != nil {
		return nil, err
	}
	var answer frame
	if err := conn.Invoke(ctx, pathPrefix+method, &frame{kind: frameData, body: req}, &answer); err != nil {
		return nil, c.failed(ctx, method, err)
	}
	c.heard.Store(time.Now().UnixNano())
	if answer.kind == frameError {
		return nil, decodeError(answer.body)
	}
	return answer.body, nil
}

// traced begins the span of a call, and has the other side told of it.
func traced(ctx context.Context, method string) (context.Context, *tracing.Span) {
	ctx, span := tracing.Start(ctx, "call "+method)
	if span != nil {
		ctx = metadata.AppendToOutgoingContext(ctx, tracing.ParentKey, tracing.Parent(ctx))
	}
	return ctx, span
}

var streamDesc = &grpc.StreamDesc{ServerStreams: true}

// errSilent is why a stream is ended that brings nothing any more.
var errSilent = errors.New("no sign of life")

// Stream asks for many answers and gives each to recv, whose they are. It ends
// when the other side does, when recv gives an error, when ctx ends, or after
// Silence without a frame. The time that recv takes does not count.
func (c *Conn) Stream(ctx context.Context, method string, req []byte, recv func([]byte) error) error {
	start := time.Now()
	ctx, span := traced(ctx, method)
	err := c.stream(ctx, method, req, recv)
	span.End(err)
	c.pool.metrics.done(method, time.Since(start), len(req), err)
	return err
}

func (c *Conn) stream(outer context.Context, method string, req []byte, recv func([]byte) error) error {
	conn, err := c.open(req)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	patience := time.AfterFunc(c.pool.cfg.Silence, func() { cancel(errSilent) })
	defer patience.Stop()

	failed := func(err error) error {
		if context.Cause(ctx) == errSilent && outer.Err() == nil {
			return c.unavailable(method, fmt.Errorf("%w for %v", errSilent, c.pool.cfg.Silence))
		}
		return c.failed(outer, method, err)
	}
	s, err := conn.NewStream(ctx, streamDesc, pathPrefix+method)
	if err != nil {
		return failed(err)
	}
	// io.EOF says that the stream has ended; RecvMsg says why.
	if err := s.SendMsg(&frame{kind: frameData, body: req}); err != nil && !errors.Is(err, io.EOF) {
		return failed(err)
	}
	if err := s.CloseSend(); err != nil {
		return failed(err)
	}
	for {
		var f frame
		err := s.RecvMsg(&f)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return failed(err)
		}
		patience.Stop()
		c.heard.Store(time.Now().UnixNano())
		switch f.kind {
		case frameError:
			return decodeError(f.body)
		case frameData:
			if err := recv(f.body); err != nil {
				return err
			}
		}
		patience.Reset(c.pool.cfg.Silence)
	}
}

// open gives the connection for a request, or why there is none.
func (c *Conn) open(req []byte) (*grpc.ClientConn, error) {
	if len(req) > c.pool.cfg.MaxFrameBytes {
		return nil, fmt.Errorf("request of %d bytes: at most %d fit: %w", len(req), c.pool.cfg.MaxFrameBytes, model.ErrTooLarge)
	}
	// Before the connection is looked for: see restIfUnused.
	c.used.Store(time.Now().UnixNano())
	if down := c.down.Load(); down != nil {
		return nil, *down
	}
	if conn := c.grpc.Load(); conn != nil {
		return conn, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.grpc.Load(); conn != nil {
		return conn, nil
	}
	if c.pool.ctx.Err() != nil {
		return nil, errPoolClosed
	}
	conn, err := c.dial()
	if err != nil {
		return nil, err
	}
	c.grpc.Store(conn)
	c.pool.done.Go(func() { c.watch(conn) })
	return conn, nil
}

var errPoolClosed = fmt.Errorf("this node is stopping: %w: %w", model.ErrUnavailable, model.ErrClosed)

// dial gives a gRPC connection, which connects by itself.
func (c *Conn) dial() (*grpc.ClientConn, error) {
	cfg := &c.pool.cfg
	conn, err := grpc.NewClient("passthrough:///"+c.to.address,
		grpc.WithContextDialer(c.connect),
		grpc.WithTransportCredentials(&clientCredentials{conn: c}),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(codec{}),
			grpc.MaxCallRecvMsgSize(cfg.MaxFrameBytes+frameOverhead),
			grpc.MaxCallSendMsgSize(cfg.MaxFrameBytes+frameOverhead),
		),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstBackoff, Multiplier: 2, Jitter: 0.2, MaxDelay: lastBackoff},
			MinConnectTimeout: cfg.HandshakeTimeout,
		}),
		grpc.WithAuthority("varve"), // addresses need not be valid in a header
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connectionWindow),
		grpc.WithReadBufferSize(ioBuffer),
		grpc.WithWriteBufferSize(ioBuffer),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w: %w", c.to.address, err, model.ErrInvalid)
	}
	return conn, nil
}

// connect makes one connection.
func (c *Conn) connect(ctx context.Context, address string) (net.Conn, error) {
	dial := c.pool.cfg.Dial
	if dial == nil {
		dial = func(ctx context.Context, address string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", address)
		}
	}
	conn, err := dial(ctx, address)
	if err != nil {
		c.trouble.Store(&err)
	}
	return conn, err
}

// watch finds out whether the other side is there until the Conn rests or the
// pool is closed.
func (c *Conn) watch(conn *grpc.ClientConn) {
	for {
		start := time.Now()
		ctx, cancel := context.WithTimeout(c.pool.ctx, c.pool.cfg.Silence)
		var answer frame
		err := conn.Invoke(ctx, pathPrefix+methodPing, &frame{kind: frameData}, &answer)
		silent := ctx.Err() != nil
		cancel()
		switch {
		case c.pool.ctx.Err() != nil:
			return
		case err == nil || c.heard.Load() >= start.UnixNano():
			c.setDown(nil)
		default:
			why := c.failed(context.Background(), methodPing, err)
			if silent && c.trouble.Load() == nil {
				why = c.unavailable(methodPing, fmt.Errorf("%w for %v", errSilent, c.pool.cfg.Silence))
			}
			c.setDown(why)
			if silent {
				// Only this ends the calls that are on their way.
				if conn = c.replace(conn); conn == nil {
					return
				}
			}
		}
		if c.restIfUnused() {
			return
		}
		pause := c.pool.cfg.KeepAlive
		if !c.Healthy() {
			pause /= 5
		}
		select {
		case <-c.pool.ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// setDown notes why calls fail, or that they do not.
func (c *Conn) setDown(err error) {
	was := c.down.Load()
	if err == nil {
		if was != nil {
			c.down.Store(nil)
			c.pool.metrics.down.Dec()
			c.pool.log.Info("node answers again", "address", c.to.address)
		}
		return
	}
	c.down.Store(&err)
	if was == nil {
		c.pool.metrics.down.Inc()
	}
	if was == nil || (*was).Error() != err.Error() {
		c.pool.log.Warn("node does not answer", "address", c.to.address, "error", err)
	}
}

// replace closes a connection and gives a new one in its place, nil when the
// pool is closed.
func (c *Conn) replace(old *grpc.ClientConn) *grpc.ClientConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = old.Close() // fails for one that is closed
	if c.pool.ctx.Err() != nil {
		return nil
	}
	conn, err := c.dial()
	if err != nil {
		return nil // cannot be: it was possible before
	}
	c.grpc.Store(conn)
	return conn
}

// restIfUnused takes the connection away when no call was made for long.
func (c *Conn) restIfUnused() bool {
	unused := func() bool { return time.Since(time.Unix(0, c.used.Load())) > rest }
	if !unused() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	conn := c.grpc.Swap(nil)
	// A call notes its time before it looks for the connection: either it has
	// found none and waits for mu, or its time is seen here.
	if !unused() {
		c.grpc.Store(conn)
		return false
	}
	c.setDown(nil)
	_ = conn.Close() // nothing runs on it
	return true
}

// close ends all calls. The pool's context has ended.
func (c *Conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.grpc.Load(); conn != nil {
		_ = conn.Close() // fails for one that is closed
	}
}

// failed turns an error of gRPC into one of ours.
func (c *Conn) failed(ctx context.Context, method string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s := status.Convert(err)
	switch s.Code() {
	case codes.DeadlineExceeded:
		if _, ok := ctx.Deadline(); ok {
			return context.DeadlineExceeded // the other side's clock was a little ahead
		}
		if trouble := c.trouble.Load(); trouble != nil {
			return c.unavailable(method, *trouble)
		}
	case codes.ResourceExhausted:
		return fmt.Errorf("%s at %s: %s: %w", method, c.to.address, s.Message(), model.ErrTooLarge)
	case codes.Unimplemented:
		return fmt.Errorf("%s at %s: %s: %w", method, c.to.address, s.Message(), model.ErrNotSupported)
	case codes.Canceled, codes.Unavailable: // canceled when the connection was replaced
		if trouble := c.trouble.Load(); trouble != nil {
			return c.unavailable(method, *trouble)
		}
		if down := c.down.Load(); down != nil {
			return *down
		}
	}
	if c.pool.ctx.Err() != nil {
		return errPoolClosed
	}
	return c.unavailable(method, errors.New(s.Message()))
}

func (c *Conn) unavailable(method string, err error) error {
	return fmt.Errorf("%s at %s: %w: %w", method, c.to.address, model.ErrUnavailable, err)
}
