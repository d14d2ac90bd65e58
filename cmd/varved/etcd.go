package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/embedded"
)

const (
	// tendEvery is how often a node looks where etcd is.
	tendEvery = 3 * time.Second
	// metaPrefix begins all keys of clusters: a user of an etcd that others use,
	// too, may be allowed no more.
	metaPrefix = "/varve/"
	// tendTimeout bounds one look.
	tendTimeout = 3 * time.Second
	// joinEtcdTimeout bounds the wait for others that become members; a node
	// that has not become one by then starts without, and tries again.
	joinEtcdTimeout = 15 * time.Second
	// settleTimeout bounds the wait for the others to know where a member is.
	settleTimeout = 15 * time.Second
	settlePause   = 100 * time.Millisecond
	// orphanedFor is how long a member belongs to no node before it is removed:
	// one that changes its name does for a moment.
	orphanedFor = 30 * time.Second
)

// etcd is this node's way to etcd: a member of it in this process, a client of
// others, or both.
type etcd struct {
	client *embedded.Client // what the metadata is read through

	mu        sync.Mutex
	member    *embedded.Server // nil: none in this process
	addresses []string         // for clients, as last heard
	external  bool

	orphans map[uint64]time.Time // members without a node, and since when; only tend uses it
}

// at gives where etcd is reached by clients.
func (e *etcd) at() (addresses []string, external bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addresses, e.external
}

// openEtcd starts the member of this node if it has one, or connects to others.
func (s *server) openEtcd(ctx context.Context) error {
	s.onClose("etcd", s.etcd.close)
	dir := path.Join(s.metaDir(), "etcd")
	switch {
	case s.cfg.External() || s.known.External:
		cfg := s.cfg.Etcd
		if len(cfg.Endpoints) == 0 {
			cfg.Endpoints = s.known.Etcd
		}
		s.etcd.addresses, s.etcd.external = cfg.Endpoints, true
		client, err := embedded.Connect(cfg, s.log)
		s.etcd.client = client
		return err
	case !s.cfg.Clustered():
		return s.startEtcd(ctx, dir, embedded.DefaultConfig())
	}
	has, err := s.hasMember(dir)
	if err != nil {
		return err
	}
	if has || s.known.Cluster == "" && s.cfg.Has(meta.RoleMeta) {
		return s.startEtcd(ctx, dir, s.memberConfig())
	}
	s.etcd.addresses = s.known.Etcd
	s.etcd.client, err = embedded.Connect(embedded.ClientConfig{Endpoints: s.known.Etcd, TLS: s.security.etcd()}, s.log)
	return err
}

// awaitEtcd waits for etcd at a node that has no copy of the metadata, since it
// can do nothing without. Another may have been lost a moment ago, so that a
// leader is being chosen.
func (s *server) awaitEtcd(ctx context.Context) error {
	if _, err := s.fs.Size(path.Join(s.metaDir(), "snapshot")); err == nil {
		return nil
	}
	addresses, _ := s.etcd.at()
	for said := false; ; {
		look, cancel := context.WithTimeout(ctx, tendTimeout)
		_, _, err := s.etcd.client.Get(look, metaPrefix)
		late := look.Err() != nil
		cancel()
		if late {
			if trouble := s.etcd.client.Trouble(); trouble != nil {
				err = trouble
			}
		}
		switch {
		case err == nil:
			return nil
		case !late || ctx.Err() != nil:
			return fmt.Errorf("etcd at %q does not answer: %w", addresses, err)
		case !said:
			s.log.Warn("etcd does not answer, waiting for it", "addresses", addresses, "error", err)
			said = true
		}
	}
}

// hasMember reports whether a directory has a member that was started before.
func (s *server) hasMember(dir string) (bool, error) {
	names, err := s.fs.List(path.Join(dir, "member", "wal"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return slices.ContainsFunc(names, func(n string) bool { return path.Ext(n) == ".wal" }), err
}

// memberConfig gives the settings of this node's member.
func (s *server) memberConfig() embedded.Config {
	cfg := embedded.DefaultConfig()
	tls := s.security.etcd()
	cfg.Name = s.cfg.NodeName
	cfg.SharePorts = s.portsHeld
	cfg.Client = embedded.Port{Listen: s.cfg.MetaClient.Listen, Advertise: s.cfg.MetaClient.Reached(), TLS: tls}
	cfg.Peer = embedded.Port{Listen: s.cfg.MetaPeer.Listen, Advertise: s.cfg.MetaPeer.Reached(), TLS: tls}
	return cfg
}

// startEtcd starts the member that is there, or the first of a cluster.
func (s *server) startEtcd(ctx context.Context, dir string, cfg embedded.Config) error {
	member, err := embedded.Start(ctx, filepath.FromSlash(dir), cfg, s.log)
	if err != nil {
		return err
	}
	s.etcd.client, s.etcd.member = member.Client, member
	// Until tend has looked: a node may ask for them, to join, before that.
	if s.cfg.Clustered() {
		own := cfg.Client.URL()
		s.etcd.addresses = append([]string{own.String()}, s.known.Etcd...)
	}
	return nil
}

// voteIfNeeded makes this node a member of etcd while there are fewer than it
// takes. The node is registered, so that no other of its name lives.
func (s *server) voteIfNeeded(ctx context.Context) error {
	if _, external := s.etcd.at(); external || s.etcd.has() || !s.cfg.Clustered() || !s.cfg.Has(meta.RoleMeta) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, joinEtcdTimeout)
	defer cancel()
	cfg := s.memberConfig()
	initial, err := s.etcd.client.Join(ctx, cfg.Name, cfg.Peer)
	if errors.Is(err, embedded.ErrEnoughMembers) {
		return nil
	}
	if err != nil {
		return err
	}
	cfg.InitialCluster = initial
	member, err := embedded.Start(ctx, filepath.FromSlash(path.Join(s.metaDir(), "etcd")), cfg, s.log)
	if err != nil {
		return err
	}
	s.log.Info("this node is a member of etcd", "client", cfg.Client.Advertise, "peer", cfg.Peer.Advertise)
	s.etcd.client.Attach(member)
	s.etcd.mu.Lock()
	s.etcd.member = member
	s.etcd.mu.Unlock()
	return nil
}

// settle waits until the other members know where this one is now, and it has
// its vote. Who restarts nodes in turn, or starts three and ends one, would
// else take away a vote that is needed. Without a majority it goes on after a
// while, to serve what it has.
func (s *server) settle(ctx context.Context) error {
	if _, external := s.etcd.at(); external || !s.etcd.has() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	cfg := s.memberConfig()
	at := cfg.Peer.URL()
	for {
		members, err := s.etcd.client.Members(ctx)
		if err == nil && slices.ContainsFunc(members, func(m embedded.Member) bool { return slices.Contains(m.PeerURLs, at.String()) && !m.Learner }) {
			return nil
		}
		select {
		case <-time.After(settlePause):
		case <-ctx.Done():
			return fmt.Errorf("the others do not know the member %s as one that votes yet: %w", at.String(), errors.Join(err, ctx.Err()))
		}
	}
}

func (e *etcd) has() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.member != nil
}

// close ends the member, which hands its leadership over, and the client.
func (e *etcd) close() error {
	e.mu.Lock()
	member := e.member
	e.mu.Unlock()
	var errs []error
	if member != nil {
		errs = append(errs, member.Close())
	}
	if e.client != nil {
		errs = append(errs, e.client.Close())
	}
	return errors.Join(errs...)
}

// tend follows the members of the cluster until ctx ends: where etcd is, who
// is there for the next start, and whether etcd lacks a member.
func (s *server) tend(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		if err := s.tendOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.Debug("cannot find out where etcd is", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *server) tendOnce(ctx context.Context) error {
	if _, external := s.etcd.at(); !external {
		if err := s.findEtcd(ctx); err != nil {
			return err
		}
	}
	addresses, external := s.etcd.at()
	now := &clusterFile{Cluster: s.store.Snapshot().ClusterID(), Etcd: addresses, External: external}
	for _, n := range s.store.Snapshot().Nodes() {
		if n.ID != s.store.Self() && n.Addresses.RPC != "" {
			now.Members = append(now.Members, n.Addresses.RPC)
		}
	}
	slices.Sort(now.Members)
	if now.equal(s.known) {
		return nil
	}
	if err := now.write(s.fs, s.metaDir()); err != nil {
		return err
	}
	s.known = now
	return nil
}

// findEtcd asks etcd for its members, and becomes one where they are too few.
func (s *server) findEtcd(ctx context.Context) error {
	look, cancel := context.WithTimeout(ctx, tendTimeout)
	members, err := s.etcd.client.Members(look)
	cancel()
	if err != nil {
		return err
	}
	var all, others []string
	for _, m := range members {
		all = append(all, m.ClientURLs...)
		if m.Name != s.cfg.NodeName {
			others = append(others, m.ClientURLs...)
		}
	}
	slices.Sort(all)
	slices.Sort(others)
	if len(all) == 0 {
		return fmt.Errorf("none of %d members serves clients", len(members))
	}
	s.etcd.mu.Lock()
	s.etcd.addresses = all
	s.etcd.mu.Unlock()
	if !s.etcd.has() {
		others = all
	}
	s.etcd.client.SetEndpoints(others)
	if err := s.removeOrphans(ctx, members); err != nil {
		return err
	}
	if err := s.voteIfNeeded(ctx); err != nil {
		return fmt.Errorf("become a member of etcd: %w", err)
	}
	return nil
}

// removeOrphans removes the members of nodes that were removed from the cluster:
// each takes a vote away from those that are left. All nodes do it, which does
// no harm.
func (s *server) removeOrphans(ctx context.Context, members []embedded.Member) error {
	if s.store.Away() {
		return nil
	}
	owned := make(map[string]bool)
	for _, n := range s.store.Snapshot().Nodes() {
		owned[n.Name] = true
	}
	was := s.etcd.orphans
	s.etcd.orphans = make(map[uint64]time.Time)
	for _, m := range members {
		if m.Name == "" || owned[m.Name] || m.Name == s.cfg.NodeName {
			continue
		}
		since, ok := was[m.ID]
		if !ok {
			since = time.Now()
		}
		s.etcd.orphans[m.ID] = since
		if time.Since(since) < orphanedFor {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, tendTimeout)
		err := s.etcd.client.RemoveMember(ctx, m.Name)
		cancel()
		if err != nil {
			return err
		}
		s.log.Info("removed the member of etcd of a node that is gone", "member", m.Name)
	}
	return nil
}
