package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"

	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/varvedb/varve/cmd/varved/config"
	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/admin"
	"github.com/varvedb/varve/coordinator/audit"
	"github.com/varvedb/varve/coordinator/auth"
	"github.com/varvedb/varve/coordinator/continuous"
	"github.com/varvedb/varve/coordinator/httpapi"
	"github.com/varvedb/varve/coordinator/ingest"
	"github.com/varvedb/varve/coordinator/parking"
	"github.com/varvedb/varve/coordinator/quota"
	"github.com/varvedb/varve/coordinator/subscriber"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/rpc/joining"
	"github.com/varvedb/varve/internal/rpc/trust"
	"github.com/varvedb/varve/internal/tracing"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/control"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/memory"
)

// open opens all parts, from the disk up. httpAddress is where others reach the
// HTTP port.
//
// What is opened first is closed last: a node that stops hands over what its
// replicas hold while it still answers the others, then says that it is gone,
// and then leaves etcd.
func (s *server) open(httpAddress string) error {
	budget := limitMemory(s.cfg.MemoryLimit)
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := s.lock(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := s.openCluster(ctx, httpAddress); err != nil {
		return err
	}
	if err := s.firstStart(ctx); err != nil {
		return fmt.Errorf("first start: %w", err)
	}
	if err := s.watchCertificates(); err != nil {
		return err
	}
	if err := s.openRPC(); err != nil {
		return err
	}
	clock, err := hlc.Open(s.fs, s.dir, nil)
	if err != nil {
		return err
	}
	if s.cfg.Clustered() {
		// Before any other node hears its readings: those would pull some of them
		// ahead of the rest, and a delete that a client sends to one of the rest
		// would not cover what it wrote a moment ago.
		clock.Settle(ctx)
	}
	shards, err := s.openData(clock, budget)
	if err != nil {
		return err
	}
	if s.tracer, err = tracing.Open(ctx, s.cfg.Tracing, s.cfg.NodeName, softwareVersion(), s.log); err != nil {
		return err
	}
	s.onClose("tracing", s.tracer.Close)
	operators := s.openAdmin(shards)
	if err := s.openCoordinator(clock, shards, operators, budget); err != nil {
		return err
	}
	if err := s.startControl(operators); err != nil {
		return err
	}
	s.serveRPC(shards, operators)
	s.openVote(ctx)
	return s.openListeners()
}

// openCluster makes this directory a node of its cluster.
func (s *server) openCluster(ctx context.Context, httpAddress string) error {
	if err := s.openSecurity(); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	if err := s.openEtcd(ctx); err != nil {
		return err
	}
	if err := s.awaitEtcd(ctx); err != nil {
		return err
	}
	cfg := meta.DefaultConfig()
	cfg.DefaultReplication = s.cfg.Replication
	var err error
	if s.store, err = meta.Open(ctx, s.etcd.client, s.fs, s.metaDir(), cfg, s.log, s.registry); err != nil {
		return fmt.Errorf("open metadata: %w", err)
	}
	s.onClose("metadata", s.store.Close)
	spec := meta.NodeSpec{
		Name: s.cfg.NodeName, Roles: s.cfg.Roles, Version: softwareVersion(), Labels: s.cfg.Labels,
		Addresses: meta.Addresses{HTTP: httpAddress},
	}
	if s.cfg.Clustered() {
		spec.Addresses.RPC = s.cfg.RPC.Reached()
		if s.cfg.Has(meta.RoleMeta) && !s.cfg.External() {
			spec.Addresses.MetaClient, spec.Addresses.MetaPeer = s.cfg.MetaClient.Reached(), s.cfg.MetaPeer.Reached()
		}
	}
	if s.self, err = s.store.RegisterNode(ctx, spec); err != nil {
		return fmt.Errorf("register node: %w", err)
	}
	if !s.cfg.Clustered() {
		return nil
	}
	id := rpc.Identity{Cluster: s.store.Snapshot().ClusterID(), Node: s.self.ID}
	return s.security.name(ctx, s, id, s.self.Incarnation)
}

// openVote makes this node a member of etcd where one more is needed, and finds
// etcd from then on. It comes last: it may take seconds.
func (s *server) openVote(ctx context.Context) {
	if !s.cfg.Clustered() {
		return
	}
	if err := s.voteIfNeeded(ctx); err != nil {
		s.log.Warn("this node is no member of etcd yet, trying again", "error", err)
	}
	if !s.store.Away() {
		if err := s.settle(ctx); err != nil {
			s.log.Warn("going on before this node has its place in etcd", "error", err)
		}
	}
	s.background("membership", s.tend)
}

// openRPC gives the node its way to the others, and a server that does not
// answer yet.
func (s *server) openRPC() (err error) {
	s.members = &membership{store: s.store, security: &s.security, etcd: s.etcd.at}
	if !s.cfg.Clustered() {
		return nil
	}
	if s.cfg.JoinToken != "" {
		if s.members.token, err = trust.ParseToken(s.cfg.JoinToken); err != nil {
			return fmt.Errorf("join-token: %w", err)
		}
	}
	id := rpc.Identity{Cluster: s.store.Snapshot().ClusterID(), Node: s.self.ID}
	if s.members.pool, err = rpc.NewPool(rpc.DefaultConfig(), id, s.security.tls(), s.log, s.registry); err != nil {
		return err
	}
	s.onClose("connections to other nodes", func() error { s.members.pool.Close(); return nil })
	s.rpc, err = rpc.NewServer(rpc.DefaultConfig(), id, s.security.tls(), s.log, s.registry)
	return err
}

// openData opens the shards; nil at a node that keeps no data.
func (s *server) openData(clock *hlc.Clock, budget budgets) (*data.Node, error) {
	if !s.cfg.Has(meta.RoleData) {
		return nil, nil
	}
	cfg := data.DefaultConfig()
	cfg.MemtableBytes = budget.memtables
	cfg.CatchupMaxBytes, cfg.CatchupMaxAge = s.cfg.CatchupBytes, s.cfg.CatchupAge
	shards, err := data.Open(s.fs, path.Join(s.dir, "shards"), cfg, s.store, clock, s.members, s.log, s.registry)
	if err != nil {
		return nil, err
	}
	s.onClose("shards", shards.Close)
	return shards, nil
}

// openAdmin opens what operators see and do.
func (s *server) openAdmin(shards *data.Node) *admin.Admin {
	parts := admin.Parts{Store: s.store, Conn: s.members.Conn, Token: s.members.NewToken, Certificates: s.certificates.list, Everyone: s.cfg.AllowUnauthenticated || s.cfg.AuthEnabled, Limits: s.cfg.Limits, Log: s.log}
	if shards != nil {
		parts.Local = shards
	}
	operators := admin.New(parts)
	s.onClose("admin", func() error { operators.Close(); return nil })
	return operators
}

// openCoordinator opens what takes writes and queries. A node with data has it
// for what its replicas write anew, also where it does not serve clients.
func (s *server) openCoordinator(clock *hlc.Clock, shards *data.Node, operators *admin.Admin, budget budgets) error {
	lines := s.cfg.Lines
	lines.HashSeed = s.store.Snapshot().HashSeed()
	lines.Unsigned = s.cfg.Unsigned
	lines.MemoBytes = int(min(int64(lines.MemoBytes), budget.memo))
	s.openMonitor(shards)
	gate := &memoryGate{limit: budget.total, offHeap: func() int64 { return 0 }, behind: func() bool { return false }}
	if shards != nil {
		gate.offHeap, gate.behind = shards.OffHeapBytes, shards.Behind
	}
	s.quotas = quota.New(s.store.Snapshot, s.registry)
	parts := httpapi.Parts{
		TLS:       s.certificates.http.Server(),
		Quotas:    s.quotas,
		Parser:    lineprotocol.NewParser(lines),
		HashSeed:  lines.HashSeed,
		Writer:    noCoordinator{},
		Queries:   noCoordinator{},
		Databases: noCoordinator{},
		Admin:     operators.Handler(),
		Elsewhere: s.elsewhere,
		Memory:    gate,
		Vars:      s.monitor.Vars(),
		Tracer:    s.tracer,
		Registry:  s.registry,
		Log:       s.log,
		Version:   softwareVersion(),

		CommandLine: config.CommandLine(os.Args),
	}
	var err error
	if parts.Audit, err = s.openAudit(); err != nil {
		return err
	}
	pool := memory.NewPool(budget.queries, s.registry)
	if shards != nil {
		shards.Share(pool)
	}
	if s.cfg.Has(meta.RoleCoordinator) || shards != nil {
		writer, err := s.openWriter(clock, shards)
		if err != nil {
			return err
		}
		s.storeStatistics(writer)
		if s.cfg.Has(meta.RoleCoordinator) {
			s.writer = writer
			if err := s.openQueries(writer, shards, operators, &parts, pool, budget.maxSelectMemory()); err != nil {
				return err
			}
		}
	}
	if s.cfg.AuthEnabled {
		if err := s.openAuth(&parts); err != nil {
			return err
		}
	}
	cfg := s.cfg.HTTP
	cfg.Parsing = lines.Workers
	cfg.Realm, cfg.PingAuth, cfg.DebugOpen = s.cfg.Realm, s.cfg.PingAuth, s.cfg.DebugOpen
	cfg.MaxRowLimit = s.cfg.MaxRowLimit
	cfg.AllowedOrigins, cfg.ProfilesOff = s.cfg.AllowedOrigins, s.cfg.ProfilesOff
	if err := s.openAccessLog(&cfg, &parts); err != nil {
		return err
	}
	cfg.MaxBodyBytes = cmp.Or(cfg.MaxBodyBytes, budget.bodies)
	cfg.MaxUnpackedBytes = max(cfg.MaxBodyBytes, min(unpackedRatio*cfg.MaxBodyBytes, budget.bodies))
	cfg.MaxInflightBytes = max(cfg.MaxUnpackedBytes, min(cfg.MaxInflightBytes, budget.bodies))
	s.http, err = httpapi.New(cfg, parts)
	return err
}

// openAudit opens the audit log; nil where there is to be none.
func (s *server) openAudit() (*audit.Log, error) {
	name := s.cfg.AuditLog
	switch {
	case name == config.NoAuditLog, name == "" && !s.cfg.AuthEnabled:
		return nil, nil
	case name == "":
		name = path.Join(s.dir, "audit", "audit.log")
	}
	l, err := audit.Open(s.fs, name, s.cfg.Audit, s.log, s.registry)
	if err != nil {
		return nil, err
	}
	s.onClose("audit log", l.Close)
	return l, nil
}

// openAuth has requests asked who sends them.
func (s *server) openAuth(parts *httpapi.Parts) error {
	b := auth.NewBootstrap(s.store, s.fs, s.dir, s.log)
	a, err := auth.New(s.cfg.Auth, s.store, b, s.registry)
	if err != nil {
		return err
	}
	s.background("bootstrap token", b.Run)
	parts.Auth = a
	return nil
}

// unpackedRatio is how many times its size on the wire a body may have.
const unpackedRatio = 10

func (s *server) coordinatorConfig() coordinator.Config {
	cfg := coordinator.DefaultConfig()
	cfg.Limits = s.cfg.Limits
	cfg.Level = s.cfg.Consistency
	return cfg
}

// nodes gives the data nodes as the coordinator sees them.
func (s *server) nodes(shards *data.Node) *coordinator.Nodes {
	if shards == nil {
		return coordinator.NewNodes(s.self.ID, nil, s.store, s.members.pool)
	}
	return coordinator.NewNodes(s.self.ID, shards, s.store, s.members.pool)
}

func (s *server) openWriter(clock *hlc.Clock, shards *data.Node) (*coordinator.Writer, error) {
	parked, err := parking.Open(s.fs, path.Join(s.dir, "parked"), parking.DefaultConfig(), s.log, s.registry)
	if err != nil {
		return nil, err
	}
	s.onClose("parked batches", parked.Close)
	writer, err := coordinator.NewWriter(s.coordinatorConfig(), s.store, clock, s.nodes(shards), s.log, s.registry)
	if err != nil {
		return nil, err
	}
	s.onClose("writer", func() error { writer.Close(); return nil })
	writer.Parking(parked)
	if !s.cfg.SubscriberOff {
		subscribers, err := subscriber.Open(s.cfg.Subscriber, s.store, s.log, s.registry)
		if err != nil {
			return nil, err
		}
		s.onClose("subscriptions", func() error { subscribers.Close(); return nil })
		writer.CopyTo(subscribers)
	}
	if shards != nil {
		writer.CheckClock(shards.ClockOff)
		shards.SetAnew(writer.WriteAnew)
	}
	return writer, nil
}

func (s *server) openQueries(writer *coordinator.Writer, shards *data.Node, operators *admin.Admin, parts *httpapi.Parts, pool *memory.Pool, maxBytes int) error {
	nodes := s.nodes(shards)
	reader, err := coordinator.NewReader(s.coordinatorConfig(), s.store, nodes, writer, s.registry)
	if err != nil {
		return err
	}
	catalog := coordinator.NewCatalog(s.store)
	cfg := s.cfg.Queries
	cfg.Extensions = s.cfg.Extensions
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, maxBytes)
	queries, err := query.New(cfg, catalog, reader, s.log, s.registry)
	if err != nil {
		return err
	}
	queries.Share(pool)
	queries.LimitBy(s.quotas)
	if parts.Audit != nil {
		queries.Audit(parts.Audit)
	}
	queries.WriteTo(coordinator.NewInto(writer))
	queries.Observe(query.Monitor{
		Statistics: s.monitor.Statistics, Version: softwareVersion(), Started: s.started, Settings: s.cfg.Diagnostics(),
	})
	operators.ShowQueries(func(context.Context) ([]query.Running, []string, error) { return queries.Running(), nil, nil })
	if s.rpc != nil {
		everywhere := coordinator.NewQueries(nodes, queries)
		queries.Join(everywhere)
		operators.ShowQueries(everywhere.Running)
		coordinator.ServeQueries(s.rpc, queries)
	}
	parts.Writer, parts.Queries, parts.Databases = writer, queries, catalog
	return s.startContinuous(queries)
}

// openListeners takes points by other protocols than HTTP's. It comes last, so
// that what was received is written first when the server stops.
func (s *server) openListeners() error {
	if s.writer == nil {
		return nil
	}
	listeners, err := ingest.Open(s.cfg.Listeners, ingest.Parts{
		Writer: s.writer, Databases: s.store, Quotas: s.quotas, HashSeed: s.store.Snapshot().HashSeed(), Unsigned: s.cfg.Unsigned,
		TLS: s.cfg.HTTPS.Serving,
	}, s.log, s.registry)
	if err != nil {
		return err
	}
	s.onClose("listeners", func() error { listeners.Close(); return nil })
	return nil
}

// startContinuous takes part in the election of the node that runs the
// continuous queries.
func (s *server) startContinuous(queries *query.Executor) error {
	if s.cfg.ContinuousOff {
		return nil
	}
	r, err := continuous.New(s.store, queries, s.cfg.Continuous, s.log, s.registry)
	if err != nil {
		return err
	}
	s.background("continuous queries", r.Run)
	return nil
}

// startControl takes part in the election of the node that makes shard groups
// ahead of time, removes old ones and places replicas.
func (s *server) startControl(operators *admin.Admin) error {
	cfg := control.DefaultConfig()
	cfg.ReplaceAfter = s.cfg.ReplaceAfter
	c, err := control.New(s.store, cfg, s.log, s.registry)
	if err != nil {
		return err
	}
	c.MeasureBy(operators.Measure)
	s.background("control", c.Run)
	return nil
}

// serveRPC answers other nodes from now on.
func (s *server) serveRPC(shards *data.Node, operators *admin.Admin) {
	if s.rpc == nil {
		return
	}
	s.rpc.Trace(s.tracer)
	joining.NewMember(s.members, s.security.keyring, s.security.authority, s.log).Register(s.rpc)
	s.rpc.Admit(func(node uint64) bool { return s.store.Snapshot().Node(node) != nil })
	operators.Serve(s.rpc)
	if shards != nil {
		data.Serve(s.rpc, shards)
	}
	go func() { s.failed <- s.rpc.Serve(s.rpcListener) }()
	s.onClose("rpc", func() error {
		if shards != nil {
			shards.HandOver(context.Background())
		}
		ctx, cancel := context.WithTimeout(context.Background(), rpcDrainTimeout)
		defer cancel()
		if err := s.rpc.Shutdown(ctx); err != nil {
			s.log.Info("calls of other nodes were cut off", "error", err)
		}
		return nil
	})
}
