package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/httpapi"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/control"
	"github.com/varvedb/varve/meta/embedded"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
)

const (
	// startTimeout bounds the start of etcd and the first look at the metadata.
	startTimeout = time.Minute
	// drainTimeout is how long requests may take to end once the server stops.
	drainTimeout = 20 * time.Second
)

// server is the parts of a running server, and how to end them.
type server struct {
	log      *slog.Logger
	registry *prometheus.Registry
	http     *httpapi.Server
	closers  []closer // in the order of opening
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

// serve runs a server until a signal comes from stop, or it fails.
func serve(cfg config, log *slog.Logger, stdout io.Writer, stop <-chan os.Signal) (err error) {
	// The port first: when another server has it, nothing on disk is touched.
	l, err := listen(cfg.httpAddress)
	if err != nil {
		return err
	}
	defer l.Close() // does nothing once the HTTP server has closed it

	s := &server{log: log, registry: prometheus.NewRegistry()}
	defer func() {
		start := time.Now()
		if cerr := s.close(); cerr != nil {
			err = errors.Join(err, cerr)
		}
		if err == nil {
			log.Info("stopped", "took", time.Since(start))
		}
	}()
	if err := s.open(cfg); err != nil {
		return err
	}
	if cfg.allowUnauthenticated {
		log.Warn("authentication is off: whoever reaches this address may read, write and drop everything", "address", l.Addr())
	}

	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(l) }()
	fmt.Fprintf(stdout, "varved is ready on http://%s\n", readable(l.Addr()))
	log.Info("ready", "version", softwareVersion(), "address", l.Addr(), "data-dir", cfg.dataDir)

	select {
	case sig := <-stop:
		log.Info("stopping", "signal", sig)
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil {
			// Cut off, which their clients see; what was acknowledged is safe.
			log.Warn("requests did not end in time", "error", err)
		}
		return nil
	case err := <-failed:
		return err
	}
}

// readable gives an address that a client on this machine can use.
func readable(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if ok && t.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d", t.Port)
	}
	return a.String()
}

// open opens all parts, from the disk up.
func (s *server) open(cfg config) error {
	memory := limitMemory(cfg.memoryLimit)
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	fs := vfs.OS
	dir := filepath.ToSlash(cfg.dataDir)
	if err := s.lock(fs, dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	store, node, err := s.openMeta(ctx, fs, dir, cfg)
	if err != nil {
		return err
	}

	dataConfig := data.DefaultConfig()
	dataConfig.MemtableBytes = memory / 4
	clock, err := hlc.Open(fs, dir, nil)
	if err != nil {
		return err
	}
	shards, err := data.Open(fs, path.Join(dir, "shards"), dataConfig, store, clock, nil, s.log, s.registry)
	if err != nil {
		return err
	}
	s.onClose("shards", shards.Close)

	peers := coordinator.NewNodes(node.ID, shards, store, nil)
	writer, err := coordinator.NewWriter(coordinator.DefaultConfig(), store, clock, peers, s.log, s.registry)
	if err != nil {
		return err
	}
	s.onClose("writer", func() error { writer.Close(); return nil })
	reader, err := coordinator.NewReader(coordinator.DefaultConfig(), store, peers, writer, s.registry)
	if err != nil {
		return err
	}
	catalog := coordinator.NewCatalog(store)
	queries, err := query.New(query.DefaultConfig(), catalog, reader, s.log, s.registry)
	if err != nil {
		return err
	}
	lines := lineprotocol.DefaultConfig()
	lines.HashSeed = store.Snapshot().HashSeed()
	lines.Unsigned = cfg.unsigned
	lines.MemoBytes = int(min(int64(lines.MemoBytes), memory/16))
	bodies := httpapi.DefaultConfig()
	bodies.MaxUnpackedBytes = max(bodies.MaxBodyBytes, min(bodies.MaxUnpackedBytes, memory/4))
	bodies.MaxInflightBytes = max(bodies.MaxUnpackedBytes, min(bodies.MaxInflightBytes, memory/4))
	s.http, err = httpapi.New(bodies, httpapi.Parts{
		Parser:    lineprotocol.NewParser(lines),
		Writer:    writer,
		Queries:   queries,
		Databases: catalog,
		Registry:  s.registry,
		Log:       s.log,
		Version:   softwareVersion(),
	})
	return err
}

// lock makes the data directory and takes it for this process.
func (s *server) lock(fs vfs.FS, dir string) error {
	if err := vfs.MkdirAll(fs, dir); err != nil {
		return fmt.Errorf("data-dir: %w", err)
	}
	lock, err := fs.Lock(path.Join(dir, "lock"))
	switch {
	case errors.Is(err, vfs.ErrLocked):
		return fmt.Errorf("data-dir %s: another server is running on it", dir)
	case err != nil:
		return fmt.Errorf("data-dir: %w", err)
	}
	s.onClose("lock", lock.Close)
	return nil
}

// openMeta opens the metadata and makes this directory a node of the cluster.
func (s *server) openMeta(ctx context.Context, fs vfs.FS, dir string, cfg config) (*meta.Store, *meta.Node, error) {
	var kv meta.KV
	if len(cfg.etcdEndpoints) > 0 {
		client, err := embedded.Connect(embedded.ClientConfig{Endpoints: cfg.etcdEndpoints}, s.log)
		if err != nil {
			return nil, nil, err
		}
		s.onClose("etcd client", client.Close)
		kv = client
	} else {
		etcd, err := embedded.Start(ctx, path.Join(dir, "meta", "etcd"), embedded.DefaultConfig(), s.log)
		if err != nil {
			return nil, nil, err
		}
		s.onClose("etcd", etcd.Close)
		kv = etcd
	}
	store, err := meta.Open(ctx, kv, fs, path.Join(dir, "meta"), meta.DefaultConfig(), s.log, s.registry)
	if err != nil {
		return nil, nil, fmt.Errorf("open metadata: %w", err)
	}
	s.onClose("metadata", store.Close)
	node, err := store.RegisterNode(ctx, meta.NodeSpec{Name: cfg.nodeName, Roles: cfg.roles, Version: softwareVersion()})
	if err != nil {
		return nil, nil, fmt.Errorf("register node: %w", err)
	}
	return store, node, s.startControl(store)
}

// startControl takes part in the election of the node that removes old shard
// groups and makes the next ones ahead of time.
func (s *server) startControl(store *meta.Store) error {
	c, err := control.New(store, control.DefaultConfig(), s.log, s.registry)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	s.onClose("control", func() error {
		cancel()
		<-done
		return nil
	})
	return nil
}
