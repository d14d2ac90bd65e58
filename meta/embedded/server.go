package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

// Server is a member of etcd in this process.
type Server struct {
	*Client // of this member by function calls, and of the others

	dir     string
	cfg     Config
	log     *slog.Logger
	etcd    *embed.Etcd
	own     *endpoint
	free    func() (uint64, error) // bytes of the disk that are not used
	closing atomic.Bool
	close   sync.Once
	failure failure

	stopKeeping context.CancelFunc
	keeping     sync.WaitGroup
}

// How etcd runs alone. A member that is alone hears of no other, so its
// election timer only delays the start. Ready and idle, measured: ticks of
// 10 ms 0.1 s and 1.4 % of a core, of 50 ms 0.1 s and 0.8 %, of 100 ms 0.2 to
// 1 s and 0.4 %.
const (
	aloneTick     = 50 * time.Millisecond
	aloneElection = 250 * time.Millisecond
)

// How etcd runs with others: the values of etcd itself. Members that hear
// nothing of their leader for 1 to 2 s choose another. The leader says something
// every 100 ms, so ten of its signs in a row must be late; on two busy cores,
// where a goroutine or a sync may wait for some hundred ms, half of that time
// makes members take a slow leader for a dead one. All members should have the
// same values.
const (
	tick     = 100 * time.Millisecond
	election = time.Second
)

const (
	// walBytes is preallocated for each file of etcd's log, twice; etcd's own
	// 64 MB are for clusters that write thousands of times a second.
	walBytes = 4 << 20

	// snapshotEntries is how many changes etcd keeps in its log before it
	// drops them: with fewer, memory and start are cheaper.
	snapshotEntries = 5000

	// closeTimeout bounds what a member that has stopped takes to end its
	// clients' connections: it waits for their watches, which never end.
	closeTimeout = time.Second
)

// walSize is set once: it is a variable of etcd's package, and several servers
// may run in one test process.
var walSize sync.Once

// Start runs etcd on dir, which it makes. A member that is alone can be used
// when Start returns; one with others may wait for them still, and its requests
// go to them meanwhile.
//
// A member of a cluster keeps itself what it should be until Close: a voter if
// there is room for one more, and known to the others by the address of cfg.
func Start(ctx context.Context, dir string, cfg Config, log *slog.Logger) (*Server, error) {
	s := newServer(dir, cfg, log)
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func newServer(dir string, cfg Config, log *slog.Logger) *Server {
	s := &Server{dir: dir, cfg: cfg, log: log, free: freeIn(dir)}
	s.failure.done = make(chan struct{})
	s.Client = newClient(ClientConfig{TLS: cfg.Client.TLS}, log, &s.closing)
	return s
}

func (s *Server) run(ctx context.Context) error {
	if err := s.cfg.Validate(); err != nil {
		return err
	}
	walSize.Do(func() { wal.SegmentSizeBytes = walBytes })
	if err := checkSpaceToStart(s.dir); err != nil {
		return err
	}
	if err := s.start(s.config()); err != nil {
		return fmt.Errorf("start etcd in %s: %w", s.dir, err)
	}
	if err := s.ready(ctx); err != nil {
		s.stop()
		return fmt.Errorf("start etcd in %s: %w", s.dir, err)
	}
	server := s.etcd.Server
	s.own = &endpoint{
		dial:   func() (*clientv3.Client, error) { return v3client.New(server), nil },
		serves: func() bool { return s.failure.err() == nil && (server.Leader() != 0 || s.alone()) },
	}
	s.Attach(s)
	s.SetEndpoints(clientURLs(server.Cluster().Members(), uint64(server.MemberID())))
	keep, cancel := context.WithCancel(context.Background())
	s.stopKeeping = cancel
	s.keeping.Go(func() { s.observe(keep) })
	if s.cfg.Peer.Listen != "" {
		s.keeping.Go(func() { s.keep(keep) })
	}
	return nil
}

// start runs etcd in a goroutine of its own, since etcd may end that where it
// would end the process (see failure).
func (s *Server) start(c *embed.Config) (err error) {
	err = errors.New("etcd gave up")
	var started sync.WaitGroup
	started.Go(func() {
		defer func() {
			if reason := recover(); reason != nil {
				err = fmt.Errorf("etcd cannot read what is there: %v", reason)
			}
		}()
		s.etcd, err = embed.StartEtcd(c)
	})
	started.Wait()
	if why := s.failure.err(); why != nil {
		return why
	}
	return err
}

// ready waits for a member that is alone.
func (s *Server) ready(ctx context.Context) error {
	if !s.alone() {
		return nil
	}
	select {
	case <-s.etcd.Server.ReadyNotify():
		return nil
	case err := <-s.etcd.Err():
		return err
	case <-s.failure.done:
		return s.failure.err()
	case <-s.etcd.Server.StopNotify():
		return errors.New("it stopped")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// alone reports whether this member is the only one.
func (s *Server) alone() bool {
	members := s.etcd.Server.Cluster().Members()
	return len(members) == 1 && members[0].ID == s.etcd.Server.MemberID()
}

func (s *Server) config() *embed.Config {
	c := embed.NewConfig()
	c.Name = "varve"
	c.Dir = s.dir
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(newLogger(s.log, &s.closing, &s.failure))
	c.ListenClientUrls, c.AdvertiseClientUrls = nil, nil
	c.ListenPeerUrls = nil
	// Without a port the address only names the member.
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:2380"}}
	c.TickMs, c.ElectionMs = uint(aloneTick.Milliseconds()), uint(aloneElection.Milliseconds())
	c.SnapshotCount = snapshotEntries
	c.SnapshotCatchUpEntries = snapshotEntries
	c.AutoCompactionMode = embed.CompactorModePeriodic
	c.AutoCompactionRetention = s.cfg.HistoryKept.String()
	c.QuotaBackendBytes = s.cfg.Quota
	c.EnableGRPCGateway = false
	if s.cfg.Peer.Listen != "" {
		c.Name = s.cfg.Name
		c.TickMs, c.ElectionMs = uint(tick.Milliseconds()), uint(election.Milliseconds())
		c.ListenClientUrls, c.AdvertiseClientUrls = s.cfg.Client.urls()
		c.ListenPeerUrls, c.AdvertisePeerUrls = s.cfg.Peer.urls()
		c.SocketOpts.ReusePort = s.cfg.SharePorts
		c.ClientTLSInfo, c.PeerTLSInfo = s.cfg.Client.TLS.info(), s.cfg.Peer.TLS.info()
	}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	if s.cfg.InitialCluster != "" {
		c.InitialCluster, c.ClusterState = s.cfg.InitialCluster, embed.ClusterStateFlagExisting
	}
	return c
}

// urls gives what etcd listens on and what it tells others.
func (p Port) urls() (listen, advertise []url.URL) {
	return []url.URL{p.url(p.Listen)}, []url.URL{p.URL()}
}

// URL gives the address as etcd names it.
func (p Port) URL() url.URL {
	if p.Advertise != "" {
		return p.url(p.Advertise)
	}
	return p.url(p.Listen)
}

func (p Port) url(address string) url.URL {
	if host, port, err := net.SplitHostPort(address); err == nil && host == "" {
		address = net.JoinHostPort("0.0.0.0", port)
	}
	scheme := "http"
	if p.TLS != (TLS{}) {
		scheme = "https"
	}
	return url.URL{Scheme: scheme, Host: address}
}

// Failed gives a channel that is closed when this member does not work any more,
// for a reason that is in the log: its disk is full or damaged, or it was
// removed. The Client goes on with the others; another Start may help.
func (s *Server) Failed() <-chan struct{} { return s.failure.done }

// Close hands the leadership over, and ends the client and etcd. It is safe to
// call twice.
func (s *Server) Close() error {
	var err error
	s.close.Do(func() {
		s.stopKeeping()
		s.keeping.Wait()
		err = s.Client.Close()
		s.stop()
	})
	return err
}

// stop ends etcd: first the member, which hands over its leadership and closes
// its files, then the ports. A client that still watches would delay the latter
// by seconds; it is left behind after a while, with nothing left to lose.
func (s *Server) stop() {
	s.closing.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.etcd.Server.Stop()
	}()
	// A member that failed may hold what it needs to stop.
	select {
	case <-done:
	case <-s.failure.done:
		if !finished(done, closeTimeout) {
			return
		}
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.etcd.Close()
	}()
	finished(closed, closeTimeout)
}

// finished waits for done for some time.
func finished(done <-chan struct{}, patience time.Duration) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}
