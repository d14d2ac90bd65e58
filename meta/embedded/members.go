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

	"github.com/varvedb/varve/internal/pace"
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
	asked := false // whether etcd was asked to add the member
	try := func(impatient bool) ([]Member, error) {
		if asked {
			members, err := c.Members(ctx)
			if err != nil || slices.ContainsFunc(members, func(m Member) bool { return added(m, url) }) {
				return members, err
			}
		}
		if err := c.makeRoom(ctx, name, url, impatient); err != nil {
			return nil, err
		}
		asked = true
		return c.add(ctx, url)
	}
	for began := time.Now(); ; {
		members, err := try(time.Since(began) > joinPatience)
		if err == nil {
			return clusterOf(members, name, url), nil
		}
		if !waits(err) || pace.Sleep(ctx, settlePause) != nil {
			return "", fmt.Errorf("join etcd: %w", err)
		}
	}
}

// added reports whether m is what etcd made of the wish to add a member at url.
// A wish may come true whose answer is lost, when the leader changes.
func added(m Member, url string) bool {
	return m.Learner && m.Name == "" && slices.Contains(m.PeerURLs, url)
}

// makeRoom removes what is in the way of a member that wants to join. impatient
// says to remove another that joins and does not come.
func (c *Client) makeRoom(ctx context.Context, name, url string, impatient bool) error {
	if err := c.RemoveMember(ctx, name, url); err != nil {
		return err
	}
	members, err := c.Members(ctx)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(members, func(m Member) bool { return m.Learner }); i >= 0 {
		if !impatient {
			return rpctypes.ErrTooManyLearners
		}
		return errors.Join(rpctypes.ErrTooManyLearners, c.remove(ctx, members[i].ID))
	}
	if len(members) >= maxVoters {
		return ErrEnoughMembers
	}
	return nil
}

// waits reports whether a change of the membership that ended with err may come
// through later: etcd takes one at a time, and none before its members have
// been connected for 5 s. It makes the id of a new member of its address and the
// second, and takes no id twice: one that was added and removed within this
// second is "not found", and two wishes of one second are for the same one.
func waits(err error) bool {
	for _, passing := range []error{
		rpctypes.ErrTooManyLearners, rpctypes.ErrUnhealthy, rpctypes.ErrMemberNotEnoughStarted,
		rpctypes.ErrPeerURLExist, rpctypes.ErrMemberExist, rpctypes.ErrMemberNotFound,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return !errors.Is(err, ErrEnoughMembers) && passes(err)
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
