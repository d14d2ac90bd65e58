package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/quota"
	"github.com/varvedb/varve/internal/certificate"
	"github.com/varvedb/varve/internal/pace"
)

// Parts is what listeners need of their server.
type Parts struct {
	Writer    Writer
	Databases Databases
	Quotas    *quota.Keeper // nil: none
	HashSeed  uint64        // of the cluster's series hashes
	Unsigned  bool          // fields like "1u" in line protocol
	TLS       certificate.Serving
}

// closeTimeout is how long Close tries to write what was received.
const closeTimeout = 10 * time.Second

// Service is the listeners of a server.
type Service struct {
	parts   Parts
	log     *slog.Logger
	metrics *metrics

	listeners []*listener
	ctx       context.Context // of deliveries
	cancel    context.CancelFunc
	closing   sync.Once
}

// listener is one port, with the way of its points.
type listener struct {
	port port
	pipe *pipe
	done sync.WaitGroup // the goroutines of both
}

// port is what is listened on: packets or connections.
type port interface {
	address() net.Addr
	run()   // until close, and what it has begun is done
	close() // once
}

// Open opens the listeners that are enabled. reg may be nil.
func Open(cfg Config, parts Parts, log *slog.Logger, reg prometheus.Registerer) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{parts: parts, log: log, metrics: newMetrics(reg)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.open(cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Service) open(cfg Config) error {
	for i, c := range cfg.UDP {
		if c.Enabled {
			if err := s.openUDP(c); err != nil {
				return fmt.Errorf("open [[udp]] %d: %w", i, err)
			}
		}
	}
	for i, c := range cfg.Graphite {
		if c.Enabled {
			if err := s.openGraphite(c); err != nil {
				return fmt.Errorf("open [[graphite]] %d: %w", i, err)
			}
		}
	}
	for i, c := range cfg.OpenTSDB {
		if c.Enabled {
			if err := s.openOpenTSDB(c); err != nil {
				return fmt.Errorf("open [[opentsdb]] %d: %w", i, err)
			}
		}
	}
	for i, c := range cfg.Collectd {
		if c.Enabled {
			if err := s.openCollectd(c); err != nil {
				return fmt.Errorf("open [[collectd]] %d: %w", i, err)
			}
		}
	}
	return nil
}

// Close closes the ports, writes what was received as far as that is possible in
// a short time, and ends. It is safe to call twice.
func (s *Service) Close() {
	s.closing.Do(func() {
		for _, l := range s.listeners {
			l.port.close()
		}
		timer := time.AfterFunc(closeTimeout, s.cancel)
		defer timer.Stop()
		for _, l := range s.listeners {
			l.done.Wait()
		}
		s.cancel()
	})
}

// newPipe gives the way of a listener's points. Its decode is still to be set.
func (s *Service) newPipe(to target, transport string) *pipe {
	// The target was validated.
	level, _ := coordinator.ParseLevel(to.consistency)
	d := &delivery{to: to, level: level, writer: s.parts.Writer, databases: s.parts.Databases, quotas: s.parts.Quotas}
	log := s.log.With("listener", to.kind, "bind", to.address)
	return newPipe(to, d, s.parts.HashSeed, s.metrics.of(to.kind, to.address, transport), pace.NewLines(log, 1, time.Second))
}

// listenPackets opens a listener for packets.
func (s *Service) listenPackets(p *pipe, readBuffer int) error {
	port, err := listenPackets(p, readBuffer)
	if err != nil {
		return err
	}
	s.serve(port, p)
	return nil
}

// serve starts a listener.
func (s *Service) serve(port port, p *pipe) {
	l := &listener{port: port, pipe: p}
	s.listeners = append(s.listeners, l)
	l.done.Go(func() { p.run(s.ctx) })
	l.done.Go(func() {
		defer close(p.in)
		port.run()
	})
	s.log.Info("listening", "listener", p.to.kind, "address", port.address(), "database", p.to.database)
}
