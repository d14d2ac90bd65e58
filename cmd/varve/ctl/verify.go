package ctl

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var verifyCommand = &command{
	name: "verify", arguments: "[--timeout 30s] [ID…]",
	help: "compare the content of all shards, or of some, over their owners\n" +
		"A shard that is written to is compared again until its owners hold the same batches, or until the timeout.\n" +
		"The exit code is 1 when a shard is unequal, 3 when none is but some could not be compared.",
	most: -1,
	setup: func(s *session) func(context.Context) error {
		patience := s.flags.Duration("timeout", 30*time.Second, "how long to compare one shard again")
		return func(ctx context.Context) error { return s.verify(ctx, *patience) }
	},
}

func (s *session) verify(ctx context.Context, patience time.Duration) error {
	ids, err := s.shardIDs(ctx)
	if err != nil {
		return err
	}
	count := map[string]int{}
	all := []adminapi.Verified{}
	b := s.newBar()
	for i, id := range ids {
		b.show(int64(i), int64(len(ids)), fmt.Sprintf("shard %d", id))
		var v adminapi.Verified
		if err := s.get(ctx, fmt.Sprintf("/shards/%d/verify?timeout=%s", id, patience), &v); err != nil {
			b.end()
			return fmt.Errorf("shard %d: %w", id, err)
		}
		count[v.State]++
		all = append(all, v)
		if !s.json && v.State != adminapi.Equal {
			b.end()
			s.printVerified(&v)
		}
	}
	b.end()
	equal, unequal := count[adminapi.Equal], count[adminapi.Unequal]
	err = s.say(all, "%d shards: %d equal, %d unequal, %d busy, %d not reached", len(ids), equal, unequal, count[adminapi.Busy], count[adminapi.Unreachable])
	switch {
	case err != nil:
		return err
	case unequal > 0:
		return exit(exitFailed)
	case equal < len(ids):
		return exit(exitUnproven)
	}
	return nil
}

func (s *session) printVerified(v *adminapi.Verified) {
	fmt.Fprintf(s.out, "shard %d of %s.%s: %s\n", v.Shard, v.Database, v.Policy, v.State)
	for _, r := range v.Replicas {
		if r.Error != "" {
			fmt.Fprintf(s.out, "  %s: %s\n", r.Node, r.Error)
			continue
		}
		fmt.Fprintf(s.out, "  %s: %d rows, %s\n", r.Node, r.Rows, r.Hash)
	}
}

// shardIDs gives the shards that the arguments name, or all.
func (s *session) shardIDs(ctx context.Context) ([]uint64, error) {
	var ids []uint64
	for _, arg := range s.args {
		id, err := shardID(arg)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if len(ids) > 0 {
		return ids, nil
	}
	var shards []adminapi.Shard
	if err := s.get(ctx, "/shards", &shards); err != nil {
		return nil, err
	}
	for _, sh := range shards {
		ids = append(ids, sh.ID)
	}
	return ids, nil
}

func shardID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not the number of a shard", text)
	}
	return id, nil
}
