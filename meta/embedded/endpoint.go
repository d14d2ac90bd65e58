package embedded

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/varvedb/varve/internal/pace"
)

const (
	// dialTimeout bounds the log-in at an endpoint that asks for a user;
	// connections are made in the background.
	dialTimeout = 2 * time.Second
	// suspectFor is how long an endpoint that did not answer is asked after
	// all others.
	suspectFor = 5 * time.Second
	// tryPause is between two rounds over all endpoints.
	tryPause = 100 * time.Millisecond
)

// endpoint is one member of etcd.
type endpoint struct {
	address string // "" for the one in this process
	dial    func() (*clientv3.Client, error)
	suspect atomic.Int64 // asked last until then, in nanoseconds since 1970

	// serves says whether the member in this process has a leader; nil for
	// others, which say so themselves.
	serves func() bool

	mu     sync.Mutex // also held while dialling, which dialTimeout bounds
	etcd   *clientv3.Client
	closed bool
}

var errEndpointClosed = errors.New("the endpoint is not used any more")

// client gives the client of this member, which is made at its first use.
func (e *endpoint) client() (*clientv3.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errEndpointClosed
	}
	if e.etcd == nil {
		etcd, err := e.dial()
		if err != nil {
			return nil, err
		}
		e.etcd = etcd
	}
	return e.etcd, nil
}

func (e *endpoint) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.etcd == nil {
		e.closed = true
		return nil
	}
	e.closed = true
	if err := e.etcd.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// usable reports whether it makes sense to ask this member.
func (e *endpoint) usable() bool { return e.serves == nil || e.serves() }

func (e *endpoint) blame() { e.suspect.Store(time.Now().Add(suspectFor).UnixNano()) }

func (e *endpoint) suspected() bool { return time.Now().UnixNano() < e.suspect.Load() }

// dial makes the client of one address. It knows no other address: one that is
// stopped would keep the connection, and half of all requests, for as long as
// grpc takes to notice, which is 10 s at least.
func (c *Client) dial(address string) (*clientv3.Client, error) {
	tls, err := c.cfg.TLS.client()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{
		Endpoints:            []string{address},
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		MaxUnaryRetries:      2, // one, and one more after another log-in
		MaxCallRecvMsgSize:   math.MaxInt32,
		MaxCallSendMsgSize:   2 << 20,
		TLS:                  tls,
		Username:             c.cfg.User,
		Password:             c.cfg.Password,
		Logger:               newLogger(c.log, c.closing, nil),
		// By default the pause between two tries to connect grows to two minutes:
		// so long would an etcd that is back stay away for this node.
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: dialTimeout,
		})},
	})
}

// info gives what etcd asks for.
func (t TLS) info() transport.TLSInfo {
	return transport.TLSInfo{
		CertFile: t.CertFile, KeyFile: t.KeyFile, TrustedCAFile: t.CAFile, ServerName: t.ServerName,
		ClientCertAuth: t.CAFile != "",
		// A node calls from any of its addresses; that it has a certificate
		// of the cluster is what counts.
		SkipClientSANVerify: true,
	}
}

func (t TLS) client() (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil
	}
	info := t.info()
	cfg, err := info.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the certificates for etcd: %w", err)
	}
	if t.ServerName != "" {
		// grpc puts the host that it dials in the place of cfg.ServerName.
		roots := cfg.RootCAs
		cfg.InsecureSkipVerify = true // VerifyConnection does
		cfg.VerifyConnection = func(s tls.ConnectionState) error { return verifyName(s, roots, t.ServerName) }
	}
	return cfg, nil
}

// verifyName checks the certificate of a server against a name.
func verifyName(s tls.ConnectionState, roots *x509.CertPool, name string) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	between := x509.NewCertPool()
	for _, cert := range s.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between})
	return err
}

// order gives the endpoints in the order in which they are asked: the own
// member, then the one that answered last, then the rest; those that did not
// answer lately come last.
func (c *Client) order() []*endpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*endpoint, 0, 1+len(c.mu.others))
	if c.mu.own != nil {
		all = append(all, c.mu.own)
	}
	for i := range c.mu.others {
		all = append(all, c.mu.others[(c.mu.first+i)%len(c.mu.others)])
	}
	var good, bad []*endpoint
	for _, e := range all {
		if e.suspected() || !e.usable() {
			bad = append(bad, e)
		} else {
			good = append(good, e)
		}
	}
	return append(good, bad...)
}

// prefer makes an endpoint that answered the first to be asked.
func (c *Client) prefer(e *endpoint) {
	e.suspect.Store(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range c.mu.others {
		if o == e {
			c.mu.first = i
		}
	}
}

// ask makes a request at one endpoint after the other, and again, until one
// answers or ctx ends.
func ask[R any](ctx context.Context, c *Client, request func(context.Context, *clientv3.Client) (R, error)) (R, error) {
	var none R
	last := errors.New("no endpoint of etcd is known")
	for {
		order := c.order()
		for i, e := range order {
			r, err := try(ctx, e, len(order)-i, request)
			if err == nil {
				c.prefer(e)
				return r, nil
			}
			if ctx.Err() != nil || !passes(err) {
				if ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
					e.blame()
				}
				return none, err
			}
			e.blame()
			last = err
		}
		if pace.Sleep(ctx, tryPause) != nil {
			return none, last
		}
	}
}

// try makes a request at one endpoint, in an even part of the time that is
// left for n of them.
func try[R any](ctx context.Context, e *endpoint, n int, request func(context.Context, *clientv3.Client) (R, error)) (R, error) {
	if until, ok := ctx.Deadline(); ok && n > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(until)/time.Duration(n))
		defer cancel()
	}
	etcd, err := e.client()
	if err != nil {
		var none R
		return none, err
	}
	return request(ctx, etcd)
}

// errLearner is what a member without a vote answers to most requests.
var errLearner = rpctypes.Error(rpctypes.ErrGRPCNotSupportedForLearner)

// passes reports whether another endpoint, or the same one later, may do what
// ended with err.
func passes(err error) bool {
	switch {
	case errors.Is(err, errLearner), errors.Is(err, rpctypes.ErrTooManyRequests):
		return true
	case errors.Is(err, rpctypes.ErrUnhealthy): // a change of the membership comes too soon, anywhere
		return false
	}
	code := status.Code(err)
	if e := (rpctypes.EtcdError{}); errors.As(err, &e) {
		code = e.Code()
	}
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.FailedPrecondition,
		codes.OutOfRange, codes.ResourceExhausted, codes.Unimplemented, codes.Unauthenticated:
		return false
	}
	return true
}
