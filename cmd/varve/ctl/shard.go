package ctl

import (
	"context"
	"fmt"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var copyShardCommand = &command{
	name: "copy-shard", arguments: "[--detach] SRC DST ID",
	help: "give a shard one more owner, and wait until it has the data\n" +
		"SRC must be an owner; the data comes from whichever owners have it.",
	least: 3, most: 3,
	setup: func(s *session) func(context.Context) error {
		detach := s.flags.Bool("detach", false, "do not wait")
		return func(ctx context.Context) error {
			return s.change(ctx, "copy", *detach, s.args[0], s.args[1], s.args[2], "Copied shard %d from %s to %s")
		}
	},
}

var moveShardCommand = &command{
	name: "move-shard", arguments: "[--detach] SRC DST ID",
	help:  "move a replica of a shard to another node, and wait until it is there",
	least: 3, most: 3,
	setup: func(s *session) func(context.Context) error {
		detach := s.flags.Bool("detach", false, "do not wait")
		return func(ctx context.Context) error {
			return s.change(ctx, "move", *detach, s.args[0], s.args[1], s.args[2], "Moved shard %d from %s to %s")
		}
	},
}

var removeShardCommand = &command{
	name: "remove-shard", arguments: "[--detach] NODE ID",
	help: "take a replica of a shard off a node, and wait until it is gone\n" +
		"The last replica is refused. A shard that has too few owners then gets another by itself.",
	least: 2, most: 2,
	setup: func(s *session) func(context.Context) error {
		detach := s.flags.Bool("detach", false, "do not wait")
		return func(ctx context.Context) error {
			return s.change(ctx, "remove", *detach, s.args[0], "", s.args[1], "Removed shard %d from %s")
		}
	},
}

// change asks for a change of a shard's owners and waits for its end.
func (s *session) change(ctx context.Context, what string, detach bool, from, to, shard, done string) error {
	id, err := shardID(shard)
	if err != nil {
		return err
	}
	if err := s.post(ctx, fmt.Sprintf("/shards/%d/%s", id, what), adminapi.MoveRequest{From: from, To: to}, nil); err != nil {
		return err
	}
	if detach {
		return s.say(nil, "Begun: varve ctl copy-shard-status shows how far it is")
	}
	leaves, comes := from, to
	if what == "copy" {
		leaves = ""
	}
	if err := s.settled(ctx, id, leaves, comes); err != nil {
		return err
	}
	if to == "" {
		return s.say(nil, done, id, from)
	}
	return s.say(nil, done, id, from, to)
}

// settled waits until one node is no owner of a shard any more and another one
// is; either may be "".
func (s *session) settled(ctx context.Context, id uint64, leaves, comes string) error {
	b := s.newBar()
	defer b.end()
	for {
		var nodes []adminapi.Node
		var shards []adminapi.Shard
		if err := s.get(ctx, "/nodes", &nodes); err != nil {
			return err
		}
		if err := s.get(ctx, "/shards", &shards); err != nil {
			return err
		}
		sh := find(shards, id)
		if sh == nil {
			return fmt.Errorf("shard %d was dropped meanwhile", id)
		}
		gone, there := ownerOf(sh, nodes, leaves) == nil, ownerOf(sh, nodes, comes)
		switch {
		case comes == "" && gone, there != nil && there.State == "active" && gone:
			return nil
		case comes != "" && there == nil:
			return fmt.Errorf("the copy to %s was given up", comes)
		}
		if m := sh.Move; m != nil {
			b.show(m.Current, m.Total, moveLine(m))
		}
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
}

func find(shards []adminapi.Shard, id uint64) *adminapi.Shard {
	for i := range shards {
		if shards[i].ID == id {
			return &shards[i]
		}
	}
	return nil
}

// ownerOf gives the owner that a person means, or nil.
func ownerOf(sh *adminapi.Shard, nodes []adminapi.Node, text string) *adminapi.Owner {
	n := named(nodes, text)
	for i := range sh.Owners {
		if o := &sh.Owners[i]; n != nil && o.Node == n.ID || n == nil && text == fmt.Sprint(o.Node) {
			return o
		}
	}
	return nil
}

var copyShardStatusCommand = &command{
	name: "copy-shard-status", help: "show the copies and moves under way",
	setup: func(s *session) func(context.Context) error {
		return func(ctx context.Context) error {
			var st adminapi.Status
			if err := s.get(ctx, "/status", &st); err != nil {
				return err
			}
			if s.json {
				return s.printJSON(st.Moves)
			}
			t := newTable(s.out)
			fmt.Fprintln(t, "Source\tDest\tDatabase\tPolicy\tShardID\tTotalSize\tCurrentSize\tStartedAt")
			for _, m := range st.Moves {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", m.From, m.To, m.Database, m.Policy, m.Shard, m.Total, m.Current, moment(m.Started))
			}
			return t.Flush()
		}
	},
}

var killCopyShardCommand = &command{
	name: "kill-copy-shard", arguments: "SRC DST ID",
	help:  "give up a copy or a move whose data is not there yet",
	least: 3, most: 3,
	setup: func(s *session) func(context.Context) error {
		return func(ctx context.Context) error {
			id, err := shardID(s.args[2])
			if err != nil {
				return err
			}
			if err := s.post(ctx, fmt.Sprintf("/shards/%d/cancel", id), adminapi.MoveRequest{From: s.args[0], To: s.args[1]}, nil); err != nil {
				return err
			}
			return s.say(nil, "Killed shard copy %d from %s to %s", id, s.args[0], s.args[1])
		}
	},
}

var truncateShardsCommand = &command{
	name: "truncate-shards", arguments: "[--delay 1m]",
	help: "end the current shard groups early, so that what comes then goes to new ones with owners among the nodes of now",
	setup: func(s *session) func(context.Context) error {
		delay := s.flags.Duration("delay", time.Minute, "how far ahead the end lies")
		return func(ctx context.Context) error {
			var r adminapi.Truncated
			if err := s.post(ctx, "/truncate-shards", adminapi.TruncateRequest{Delay: *delay}, &r); err != nil {
				return err
			}
			return s.say(r, "Truncated shards.")
		}
	},
}
