package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/varvedb/varve/cmd/varved/config"
	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/internal/rpc/joining"
	"github.com/varvedb/varve/internal/rpc/trust"
	"github.com/varvedb/varve/meta"
)

// greetTimeout bounds the question whether the members that a directory is
// told to join are of its cluster. Whoever does not answer is asked by others.
const greetTimeout = 3 * time.Second

// enter finds the way into the cluster: a new directory joins one or makes
// one, another finds the one it belongs to again.
func (s *server) enter(ctx context.Context) error {
	cluster, node, err := meta.Identify(s.fs, s.metaDir())
	if err != nil {
		return err
	}
	if s.known, err = readClusterFile(s.fs, s.metaDir()); err != nil {
		return err
	}
	switch {
	case cluster != "":
		if s.known == nil {
			s.known = &clusterFile{Cluster: cluster}
		}
		if err := s.security.found(s); err != nil {
			return err
		}
		return s.recognize(ctx, rpc.Identity{Cluster: cluster, Node: node})
	case len(s.cfg.Join) > 0:
		return s.join(ctx)
	case s.known != nil && s.known.Cluster != "":
		return nil // it was let in, and stopped before it was registered
	case !s.cfg.Has(meta.RoleMeta) && !s.cfg.External():
		return fmt.Errorf("roles %s: without the role meta etcd-endpoints or join must be set", config.JoinRoles(s.cfg.Roles))
	}
	s.founding = true
	s.known = &clusterFile{External: s.cfg.External()}
	return s.security.found(s)
}

// recognize asks the members that are to be joined whether they know this node.
// It has joined already, so only that they are of another cluster matters.
func (s *server) recognize(ctx context.Context, self rpc.Identity) error {
	if len(s.cfg.Join) == 0 || self.Node == 0 {
		return nil
	}
	pool, err := rpc.NewPool(rpc.DefaultConfig(), self, s.security.tls(), s.log, nil)
	if err != nil {
		return err
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	for _, address := range s.cfg.Join {
		err := pool.Conn(address).Ping(ctx)
		if errors.Is(err, rpc.ErrRefused) {
			return fmt.Errorf("data-dir %s belongs to cluster %q: %w", s.cfg.DataDir, self.Cluster, err)
		}
	}
	return nil
}

// join makes this directory, which is new, a member of a cluster.
func (s *server) join(ctx context.Context) error {
	j := &joining.Joiner{Name: s.cfg.NodeName, Meta: s.cfg.Has(meta.RoleMeta), RPC: rpc.DefaultConfig(), Log: s.log}
	switch {
	case s.security.directory != nil && s.cfg.JoinToken == "":
		return errNoToken
	case s.security.directory != nil:
		token, err := trust.ParseToken(s.cfg.JoinToken)
		if err != nil {
			return fmt.Errorf("join-token: %w", err)
		}
		j.Token, j.Directory = token, s.security.directory
	default:
		j.Keyring = s.security.keyring
	}
	joined, err := j.Join(ctx, s.cfg.Join)
	if err != nil {
		return err
	}
	s.known = &clusterFile{Cluster: joined.Cluster, Members: joined.Members, Etcd: joined.Etcd, External: joined.External}
	if err := s.known.write(s.fs, s.metaDir()); err != nil {
		return err
	}
	s.log.Info("joining", "cluster", joined.Cluster, "members", joined.Members)
	if j.Token != nil {
		return s.security.read(s)
	}
	return nil
}

func (s *server) metaDir() string { return path.Join(s.dir, "meta") }
