package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"

	"github.com/varvedb/varve/internal/pace"
)

// How often a member looks after itself: soon while something is to be done,
// and in the long run.
const (
	keepSoon  = 200 * time.Millisecond
	keepEvery = 2 * time.Second

	// keepTimeout bounds one change of the membership.
	keepTimeout = 5 * time.Second
)

// keep makes the member what it should be, again and again until ctx ends: it
// knows the other members as endpoints, they know its address, and it gets its
// vote once it is in sync.
func (s *Server) keep(ctx context.Context) {
	for pause := keepSoon; pace.Sleep(ctx, pause) == nil; {
		if s.failure.err() != nil {
			return
		}
		if err := s.keepOnce(ctx); err != nil {
			// It passes: a learner is not in sync yet, or there is no quorum.
			s.log.Debug("this member of etcd is not what it should be yet", "error", err)
			pause = keepSoon
			continue
		}
		pause = keepEvery
	}
}

func (s *Server) keepOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	if err := s.checkSpaceToRun(); err != nil {
		s.failure.set(err)
		return nil
	}
	server := s.etcd.Server
	members := server.Cluster().Members()
	s.SetEndpoints(clientURLs(members, uint64(server.MemberID())))
	self := server.Cluster().Member(server.MemberID())
	at := s.cfg.Peer.URL()
	switch {
	case self == nil:
		return errors.New("it does not know itself yet")
	case !slices.Equal(self.PeerURLs, []string{at.String()}):
		if err := s.move(ctx, uint64(self.ID), at.String()); err != nil {
			return fmt.Errorf("tell the others of the address %s: %w", at.String(), err)
		}
		s.log.Info("moved this member of etcd", "from", self.PeerURLs, "to", at.String())
	case self.IsLearner:
		if err := s.promote(ctx, uint64(self.ID)); err != nil {
			return fmt.Errorf("give this member a vote: %w", err)
		}
		s.log.Info("this node votes in etcd now", "member", self.Name)
	default:
		return nil
	}
	return nil
}

// clientURLs gives where the other members are reached.
func clientURLs(members []*membership.Member, self uint64) (urls []string) {
	for _, m := range members {
		if uint64(m.ID) != self {
			urls = append(urls, m.ClientURLs...)
		}
	}
	slices.Sort(urls)
	return urls
}

// observe waits for the member to stop by itself.
func (s *Server) observe(ctx context.Context) {
	select {
	case <-s.failure.done:
	case err := <-s.etcd.Err():
		if err == nil {
			err = errors.New("it ended")
		}
		s.failure.set(err)
	case <-s.etcd.Server.StopNotify():
		s.failure.set(errors.New("it stopped: was it removed?"))
	case <-ctx.Done():
		return
	}
	s.log.Error("etcd in this process does not work any more, going on with the other members", "error", s.failure.err())
	go s.etcd.Server.Stop() // it may be stuck; stop waits for the same end
}
