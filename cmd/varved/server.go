package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/cmd/varved/config"
	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/httpapi"
	"github.com/varvedb/varve/coordinator/monitor"
	"github.com/varvedb/varve/coordinator/quota"
	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/tracing"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
)

const (
	// startTimeout bounds the start of etcd and the first look at the metadata.
	startTimeout = time.Minute
	// drainTimeout is how long requests may take to end once the server stops.
	drainTimeout = 20 * time.Second
	// rpcDrainTimeout is how long calls of other nodes may take to end then.
	rpcDrainTimeout = 3 * time.Second
)

// server is the parts of a running server, and how to end them.
type server struct {
	cfg      config.Config
	log      *slog.Logger
	registry *prometheus.Registry
	started  time.Time
	fs       vfs.FS
	dir      string

	rpcListener  net.Listener // nil for a server that is alone
	security     security
	certificates certificates
	known        *clusterFile // what the disk knows of the cluster; tend changes it
	portsHeld    bool         // those of etcd are ones that the kernel chose
	founding     bool         // this directory is new and joins nobody
	etcd         etcd
	store        *meta.Store
	self         *meta.Node
	members      *membership
	rpc          *rpc.Server
	monitor      *monitor.Monitor
	tracer       *tracing.Tracer // nil: nothing is traced
	quotas       *quota.Keeper
	http         *httpapi.Server
	writer       *coordinator.Writer // nil for a node that is no coordinator
	failed       chan error          // one error of each that serves a port

	closers []closer // in the order of opening
}

type closer struct {
	what  string
	close func() error
}

func (s *server) onClose(what string, f func() error) {
	s.closers = append(s.closers, closer{what, f})
}

// close ends what was opened, the last one first.
func (s *server) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i].close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", s.closers[i].what, err))
		}
	}
	s.closers = nil
	return errors.Join(errs...)
}

// background runs f until the server closes what was opened after it, and then
// this.
func (s *server) background(what string, f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	s.onClose(what, func() error {
		cancel()
		<-done
		return nil
	})
}

// serve runs a server until a signal comes from stop, or it fails.
func serve(cfg config.Config, log *slog.Logger, stdout io.Writer, stop <-chan os.Signal) (err error) {
	s := &server{
		cfg: cfg, log: log, registry: prometheus.NewRegistry(), started: time.Now(), fs: vfs.OS, dir: filepath.ToSlash(cfg.DataDir),
		failed: make(chan error, 3),
	}
	// The ports first: when another server has them, nothing on disk is touched.
	l, err := listen("http-bind-address", cfg.HTTPAddress)
	if err != nil {
		return err
	}
	defer l.Close() // does nothing once the HTTP server has closed it
	if err := s.listenRPC(); err != nil {
		return err
	}
	defer func() {
		start := time.Now()
		if cerr := s.close(); cerr != nil {
			err = errors.Join(err, cerr)
		}
		if err == nil {
			log.Info("stopped", "took", time.Since(start))
		}
	}()
	if err := s.openHTTPS(); err != nil {
		return err
	}
	socket, err := s.listenSocket()
	if err != nil {
		return err
	}
	starting := httpapi.NewStarting(cfg.HTTP, s.certificates.http.Server(), log)
	s.onClose("answers while starting", starting.Close)
	starting.Serve(l)
	if socket != nil {
		starting.Serve(socket)
	}
	if err := s.open(s.reachedAt(l.Addr())); err != nil {
		return err
	}
	local, err := config.IsLoopback(l.Addr().String())
	if err != nil {
		return err
	}
	switch {
	case cfg.AllowUnauthenticated && !cfg.AuthEnabled:
		log.Warn("authentication is off: whoever reaches this address may read, write and drop everything", "address", l.Addr())
	case cfg.AuthEnabled && !cfg.HTTPS.Enabled && !local:
		log.Warn("passwords and tokens are sent as they are: http-https-enabled would encrypt them", "address", l.Addr())
	}

	starting.Stop()
	go func() { s.failed <- s.http.Serve(l) }()
	if socket != nil {
		go func() { s.failed <- s.http.Serve(socket) }()
	}
	scheme := "http"
	if cfg.HTTPS.Enabled {
		scheme = "https"
	}
	fmt.Fprintf(stdout, "varved is ready on %s://%s\n", scheme, readable(l.Addr()))
	log.Info("ready", "version", softwareVersion(), "address", l.Addr(), "data-dir", cfg.DataDir, "node", s.self.ID, "roles", config.JoinRoles(cfg.Roles))
	notifySystemd(log, daemon.SdNotifyReady)

	select {
	case sig := <-stop:
		log.Info("stopping", "signal", sig)
	case err = <-s.store.Expelled():
	case err = <-s.failed:
	}
	notifySystemd(log, daemon.SdNotifyStopping)
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if down := s.http.Shutdown(ctx); down != nil {
		// Cut off, which their clients see; what was acknowledged is safe.
		log.Warn("requests did not end in time", "error", down)
	}
	return err
}

// listenRPC takes the port for other nodes, and chooses those of etcd where the
// kernel may.
func (s *server) listenRPC() error {
	if !s.cfg.Clustered() {
		return nil
	}
	l, err := listen("rpc-bind-address", s.cfg.RPC.Listen)
	if err != nil {
		return err
	}
	s.rpcListener = l
	s.onClose("rpc port", func() error {
		_ = l.Close() // closed already where it was served
		return nil
	})
	if _, port, err := net.SplitHostPort(s.cfg.RPC.Listen); err == nil && port == "0" {
		s.cfg.RPC.Listen = l.Addr().String()
	}
	return s.choosePorts()
}

// reachedAt gives the address of the HTTP port for others.
func (s *server) reachedAt(http net.Addr) string {
	if s.cfg.HTTPAdvertise != "" {
		return s.cfg.HTTPAdvertise
	}
	host, port, err := net.SplitHostPort(http.String())
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() || !s.cfg.Clustered() {
		return http.String()
	}
	// It serves all addresses; the one for other nodes is one of them.
	reached, _, err := net.SplitHostPort(s.cfg.RPC.Reached())
	if err != nil {
		return http.String()
	}
	return net.JoinHostPort(reached, port)
}

// readable gives an address that a client on this machine can use.
func readable(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if ok && t.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d", t.Port)
	}
	return a.String()
}

// notifySystemd tells the service manager, where one started this process and
// asked to be told (Type=notify).
func notifySystemd(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("cannot tell the service manager", "state", state, "error", err)
	}
}
