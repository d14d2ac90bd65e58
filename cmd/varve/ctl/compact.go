package ctl

import (
	"context"
	"fmt"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var compactCommand = &command{
	name: "compact", arguments: "[--wait] [ID…]",
	help: "have all owners rewrite all shards, or some, each as one file\n" +
		"Without --wait the node that is asked sees to it, one shard after the other.",
	most: -1,
	setup: func(s *session) func(context.Context) error {
		wait := s.flags.Bool("wait", false, "wait until it is done")
		return func(ctx context.Context) error { return s.compact(ctx, *wait) }
	},
}

func (s *session) compact(ctx context.Context, wait bool) error {
	if !wait {
		return s.compactLater(ctx)
	}
	ids, err := s.shardIDs(ctx)
	if err != nil {
		return err
	}
	b := s.newBar()
	all := map[uint64]adminapi.Compacted{}
	failed := 0
	for i, id := range ids {
		b.show(int64(i), int64(len(ids)), fmt.Sprintf("shard %d", id))
		var r adminapi.Compacted
		err := s.post(ctx, fmt.Sprintf("/shards/%d/compact", id), nil, &r)
		if len(s.args) == 0 && isGone(err) {
			continue // dropped since they were listed
		}
		if err != nil {
			b.end()
			return fmt.Errorf("shard %d: %w", id, err)
		}
		all[id] = r
		failed += len(r.Failed)
		if len(r.Failed) > 0 && !s.json {
			b.end()
			for _, text := range r.Failed {
				fmt.Fprintf(s.out, "shard %d on %s\n", id, text)
			}
		}
	}
	b.end()
	if err := s.say(all, "Compacted %d shards", len(all)); err != nil {
		return err
	}
	if failed > 0 {
		return exit(exitFailed)
	}
	return nil
}

// compactLater has a node see to it.
func (s *session) compactLater(ctx context.Context) error {
	var r adminapi.CompactRequest
	for _, arg := range s.args {
		id, err := shardID(arg)
		if err != nil {
			return err
		}
		r.Shards = append(r.Shards, id)
	}
	var begun adminapi.Compacting
	if err := s.post(ctx, "/compact", r, &begun); err != nil {
		return err
	}
	return s.say(begun, "Compacting %d shards", begun.Shards)
}
