package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// maxVoters is how many members of etcd there are at most: three outlast the
// loss of one, and each more makes every change wait for more disks.
const maxVoters = 3

// ErrEnoughMembers says that a node needs no member of its own: there are three.
var ErrEnoughMembers = fmt.Errorf("etcd has %d members already", maxVoters)

// Member is a member of etcd.
type Member struct {
	ID         uint64
	Name       string // "" before its first start
	PeerURLs   []string
	ClientURLs []string // none before its first start
	Learner    bool     // has no vote yet
}

// Members gives the members as etcd knows them, linearizably.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	r, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.MemberListResponse, error) {
		return etcd.MemberList(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("list etcd's members: %w", err)
	}
	return membersOf(r.Members), nil
}

func membersOf(list []*etcdserverpb.Member) []Member {
	members := make([]Member, len(list))
	for i, m := range list {
		members[i] = Member{m.ID, m.Name, m.PeerURLs, m.ClientURLs, m.IsLearner}
	}
	return members
}

// Join makes room for a new member, without a vote, and gives what its Start
// needs as Config.InitialCluster. It is for a directory that has no member yet:
// one of the same name, or at the same address, is that of a directory that is
// lost, and is removed first. So it is to be called only when no node of this
// name lives. With three members it fails with ErrEnoughMembers.
//
// One member joins at a time: while another does, Join waits as long as ctx
// lasts. One that does not come is removed by the next node that wants to join
// after waiting for joinPatience, since it would keep all others out.
func (c *Client) Join(ctx context.Context, name string, peer Port) (initialCluster string, err error) {
	at := peer.URL()
	url := at.String()
	if err := c.RemoveMember(ctx, name, url); err != nil {
		return "", err
	}
	for began := time.Now(); ; {
		members, err := c.Members(ctx)
		if err != nil {
			return "", err
		}
		learner := slices.IndexFunc(members, func(m Member) bool { return m.Learner })
		switch {
		case learner >= 0 && time.Since(began) > joinPatience:
			if err := c.remove(ctx, members[learner].ID); err != nil {
				return "", err
			}
			continue
		case learner >= 0:
			if !sleep(ctx, settlePause) {
				return "", fmt.Errorf("join etcd: another member is joining: %w", ctx.Err())
			}
			continue
		case len(members) >= maxVoters:
			return "", ErrEnoughMembers
		}
		members, err = c.add(ctx, url)
		if passes(err) && err != nil || errors.Is(err, rpctypes.ErrTooManyLearners) || errors.Is(err, rpctypes.ErrPeerURLExist) || errors.Is(err, rpctypes.ErrUnhealthy) {
			if errors.Is(err, rpctypes.ErrPeerURLExist) { // an earlier try came through
				if members, err = c.Members(ctx); err == nil {
					return clusterOf(members, name, url), nil
				}
			}
			if !sleep(ctx, settlePause) {
				return "", fmt.Errorf("join etcd: %w", err)
			}
			continue
		}
		if err != nil {
			return "", fmt.Errorf("join etcd: %w", err)
		}
		return clusterOf(members, name, url), nil
	}
}

const (
	// settlePause is between two tries of what waits for other members.
	settlePause = 300 * time.Millisecond
	// joinPatience is how long a member that was added may take to get in sync.
	joinPatience = 2 * time.Minute
)

func (c *Client) add(ctx context.Context, url string) ([]Member, error) {
	r, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.MemberAddResponse, error) {
		return etcd.MemberAddAsLearner(ctx, []string{url})
	})
	if err != nil {
		return nil, err
	}
	return membersOf(r.Members), nil
}

// clusterOf gives the members as etcd's initial cluster. Only the own name
// counts there.
func clusterOf(members []Member, name, url string) string {
	var parts []string
	for _, m := range members {
		as := fmt.Sprintf("member-%x", m.ID)
		if slices.Contains(m.PeerURLs, url) {
			as = name
		}
		for _, peer := range m.PeerURLs {
			parts = append(parts, as+"="+peer)
		}
	}
	return strings.Join(parts, ",")
}

// RemoveMember removes the members of that name, and those at one of the peer
// URLs. None is no error.
func (c *Client) RemoveMember(ctx context.Context, name string, urls ...string) error {
	members, err := c.Members(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		named := m.Name == name && name != ""
		if !named && !slices.ContainsFunc(m.PeerURLs, func(u string) bool { return slices.Contains(urls, u) }) {
			continue
		}
		if err := c.remove(ctx, m.ID); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) remove(ctx context.Context, id uint64) error {
	_, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.MemberRemoveResponse, error) {
		return etcd.MemberRemove(ctx, id)
	})
	if err != nil && !errors.Is(err, rpctypes.ErrMemberNotFound) {
		return fmt.Errorf("remove member %x of etcd: %w", id, err)
	}
	return nil
}

// promote gives a member its vote.
func (c *Client) promote(ctx context.Context, id uint64) error {
	_, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.MemberPromoteResponse, error) {
		return etcd.MemberPromote(ctx, id)
	})
	if errors.Is(err, rpctypes.ErrMemberNotLearner) { // an earlier try came through
		return nil
	}
	return err
}

// move tells the others where a member is.
func (c *Client) move(ctx context.Context, id uint64, url string) error {
	_, err := ask(ctx, c, func(ctx context.Context, etcd *clientv3.Client) (*clientv3.MemberUpdateResponse, error) {
		return etcd.MemberUpdate(ctx, id, []string{url})
	})
	return err
}
