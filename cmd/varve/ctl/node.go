package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var nodeListCommand = &command{
	name: "node list", help: "list the nodes with their roles, state and disk",
	setup: func(s *session) func(context.Context) error {
		return func(ctx context.Context) error {
			var nodes []adminapi.Node
			if err := s.get(ctx, "/nodes", &nodes); err != nil {
				return err
			}
			if s.json {
				return s.printJSON(nodes)
			}
			s.printNodes(nodes)
			return nil
		}
	},
}

func (s *session) printNodes(nodes []adminapi.Node) {
	t := newTable(s.out)
	fmt.Fprintln(t, "ID\tName\tAddress\tRoles\tVersion\tState\tShards\tData\tFree\tLabels")
	for _, n := range nodes {
		data, free := size(n.Bytes), size(int64(n.FreeBytes))
		if n.Error != "" {
			data, free = "?", "?"
		} else if !n.Has("data") {
			data, free = "-", "-"
		}
		state := stateOf(&n)
		if n.AbsentSince != nil {
			state += " since " + moment(*n.AbsentSince)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", n.ID, n.Name, n.RPC, strings.Join(n.Roles, ","), n.Version,
			state, n.Shards, data, free, labels(n.Labels))
	}
	t.Flush()
}

// of gives the route of a node.
func of(node, action string) string { return "/nodes/" + url.PathEscape(node) + "/" + action }

var nodeDrainCommand = &command{
	name: "node drain", arguments: "[--cancel] [--wait] NODE",
	help:  "move all shards away from a node, so that it can be removed\nIt takes no new shards from then on.",
	least: 1, most: 1,
	setup: func(s *session) func(context.Context) error {
		cancel := s.flags.Bool("cancel", false, "let it take shards again")
		wait := s.flags.Bool("wait", false, "wait until it has none left")
		return func(ctx context.Context) error {
			if err := s.post(ctx, of(s.args[0], "drain"), adminapi.DrainRequest{Cancel: *cancel}, nil); err != nil {
				return err
			}
			switch {
			case *cancel:
				return s.say(nil, "Node %s takes shards again", s.args[0])
			case !*wait:
				return s.say(nil, "Draining node %s: varve ctl node list shows how many shards it still has", s.args[0])
			}
			if err := s.drained(ctx, s.args[0]); err != nil {
				return err
			}
			return s.say(nil, "Drained node %s", s.args[0])
		}
	},
}

// drained waits until a node has no shards.
func (s *session) drained(ctx context.Context, node string) error {
	b := s.newBar()
	defer b.end()
	for first := 0; ; {
		var nodes []adminapi.Node
		if err := s.get(ctx, "/nodes", &nodes); err != nil {
			return err
		}
		n := named(nodes, node)
		if n == nil || n.Shards == 0 {
			return nil
		}
		first = max(first, n.Shards)
		b.show(int64(first-n.Shards), int64(first), fmt.Sprintf("%d shards left", n.Shards))
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
}

// named finds the node that a person means.
func named(nodes []adminapi.Node, text string) *adminapi.Node {
	for i := range nodes {
		if n := &nodes[i]; fmt.Sprint(n.ID) == text || n.Name == text || n.RPC == text || n.HTTP == text {
			return n
		}
	}
	return nil
}

var nodeRemoveCommand = &command{
	name: "node remove", arguments: "[--force] NODE",
	help: "remove a node that has been drained\n" +
		"With --force also one that is away for good: the others copy what it had, as far as they have it.",
	least: 1, most: 1,
	setup: func(s *session) func(context.Context) error {
		force := s.flags.Bool("force", false, "remove a node that is away, though it owns shards")
		return func(ctx context.Context) error {
			if err := s.post(ctx, of(s.args[0], "remove"), adminapi.RemoveRequest{Force: *force}, nil); err != nil {
				return err
			}
			return s.say(nil, "Removed node %s", s.args[0])
		}
	},
}

var nodeReplaceCommand = &command{
	name: "node replace", arguments: "OLD NEW",
	help: "move all shards of one node to another, and drain the first\n" +
		"A shard that the second has already goes to some other node.",
	least: 2, most: 2,
	setup: func(s *session) func(context.Context) error {
		return func(ctx context.Context) error {
			var r adminapi.Replaced
			if err := s.post(ctx, of(s.args[0], "replace"), adminapi.ReplaceRequest{With: s.args[1]}, &r); err != nil {
				return err
			}
			if !s.json {
				for _, text := range r.Failed {
					fmt.Fprintf(s.errs, "goes elsewhere: %s\n", text)
				}
			}
			return s.say(r, "Replacing %s by %s: %d shards are moving, %d go elsewhere", s.args[0], s.args[1], r.Moving, len(r.Failed))
		}
	},
}

var nodeLabelCommand = &command{
	name: "node label", arguments: "NODE KEY=VALUE…",
	help:  "set labels of a node; KEY= removes one\nReplicas are spread over the values of the label zone.",
	least: 2, most: -1,
	setup: func(s *session) func(context.Context) error {
		return func(ctx context.Context) error {
			r := adminapi.LabelRequest{Labels: map[string]string{}}
			for _, arg := range s.args[1:] {
				key, value, ok := strings.Cut(arg, "=")
				if !ok || key == "" {
					return fmt.Errorf("%q is not of the form KEY=VALUE", arg)
				}
				r.Labels[key] = value
			}
			if err := s.post(ctx, of(s.args[0], "label"), r, nil); err != nil {
				return err
			}
			return s.say(nil, "Labelled node %s", s.args[0])
		}
	},
}

var joinTokenCommand = &command{
	name: "join-token", arguments: "[--life 1h]",
	help: "print a token that lets nodes join the cluster until it expires\n" +
		"It is a secret; a new node is given it with --join-token.",
	setup: func(s *session) func(context.Context) error {
		life := s.flags.Duration("life", time.Hour, "how long it may be used")
		return func(ctx context.Context) error {
			if *life <= 0 {
				return errors.New("--life must be positive")
			}
			var t adminapi.Token
			if err := s.post(ctx, "/join-token", adminapi.TokenRequest{Life: *life}, &t); err != nil {
				return err
			}
			if !s.json {
				fmt.Fprintf(s.errs, "expires %s\n", moment(t.Expires))
			}
			return s.say(t, "%s", t.Token)
		}
	},
}
