package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

// Server is etcd in this process: one member, without any port.
type Server struct {
	*Client // of this etcd, by function calls

	etcd    *embed.Etcd
	free    func() (uint64, error) // bytes of the disk that are not used
	closing atomic.Bool
	close   sync.Once
}

// How etcd runs. A member that is alone hears of no other, so its election
// timer only delays the start. Ready and idle, measured: ticks of 10 ms 0.1 s
// and 1.4 % of a core, of 50 ms 0.1 s and 0.8 %, of 100 ms 0.2 to 1 s and 0.4 %.
const (
	tick     = 50 * time.Millisecond
	election = 250 * time.Millisecond

	// walBytes is preallocated for each file of etcd's log, twice; etcd's own
	// 64 MB are for clusters that write thousands of times a second.
	walBytes = 4 << 20

	// snapshotEntries is how many changes etcd keeps in its log before it
	// drops them: with fewer, memory and start are cheaper.
	snapshotEntries = 5000
)

// walSize is set once: it is a variable of etcd's package, and several servers
// may run in one test process.
var walSize sync.Once

// Start runs etcd on dir, which it makes, and returns when it can be used.
func Start(ctx context.Context, dir string, cfg Config, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	walSize.Do(func() { wal.SegmentSizeBytes = walBytes })
	if err := checkSpaceToStart(dir); err != nil {
		return nil, err
	}
	s := &Server{free: freeIn(dir)}
	etcd, err := embed.StartEtcd(s.config(dir, cfg, log))
	if err != nil {
		return nil, fmt.Errorf("start etcd in %s: %w", dir, err)
	}
	s.etcd = etcd
	select {
	case <-etcd.Server.ReadyNotify():
	case err := <-etcd.Err():
		s.stop()
		return nil, fmt.Errorf("start etcd in %s: %w", dir, err)
	case <-etcd.Server.StopNotify():
		s.stop()
		return nil, fmt.Errorf("start etcd in %s: it stopped", dir)
	case <-ctx.Done():
		s.stop()
		return nil, fmt.Errorf("start etcd in %s: %w", dir, ctx.Err())
	}
	s.Client = &Client{etcd: v3client.New(etcd.Server), closing: &s.closing}
	return s, nil
}

func (s *Server) config(dir string, cfg Config, log *slog.Logger) *embed.Config {
	c := embed.NewConfig()
	c.Name = "varve"
	c.Dir = dir
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(newLogger(log, &s.closing))
	// No listeners. The advertised address only names the member.
	c.ListenClientUrls, c.AdvertiseClientUrls = nil, nil
	c.ListenPeerUrls = nil
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:2380"}}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.TickMs, c.ElectionMs = uint(tick.Milliseconds()), uint(election.Milliseconds())
	c.SnapshotCount = snapshotEntries
	c.SnapshotCatchUpEntries = snapshotEntries
	c.AutoCompactionMode = embed.CompactorModePeriodic
	c.AutoCompactionRetention = cfg.HistoryKept.String()
	c.QuotaBackendBytes = cfg.Quota
	return c
}

// Close ends the client and etcd. It is safe to call twice.
func (s *Server) Close() error {
	var err error
	s.close.Do(func() {
		err = s.Client.Close()
		s.etcd.Close()
	})
	return err
}

// stop ends an etcd that never became ready.
func (s *Server) stop() {
	s.closing.Store(true)
	s.etcd.Close()
}
