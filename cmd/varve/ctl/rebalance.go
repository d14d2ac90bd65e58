package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var rebalanceCommand = &command{
	name: "rebalance", arguments: "--plan | --apply [--wait] | --cancel",
	help: "spread the replicas so that all nodes are equally full\n" +
		"The plan is carried out a few moves at a time and goes on when nodes restart.",
	setup: func(s *session) func(context.Context) error {
		plan := s.flags.Bool("plan", false, "show what would be moved, or what is being moved")
		apply := s.flags.Bool("apply", false, "do it")
		cancel := s.flags.Bool("cancel", false, "give it up; what has been moved stays where it is")
		wait := s.flags.Bool("wait", false, "wait until all is done")
		return func(ctx context.Context) error {
			switch {
			case *plan && !*apply && !*cancel && !*wait:
				return s.showPlan(ctx)
			case *apply && !*plan && !*cancel:
				return s.applyPlan(ctx, *wait)
			case *cancel && !*plan && !*apply && !*wait:
				if err := s.ask(ctx, http.MethodDelete, "/rebalance", nil, nil); err != nil {
					return err
				}
				return s.say(nil, "Cancelled the rebalance")
			}
			return errors.New("give one of --plan, --apply and --cancel")
		}
	},
}

func (s *session) showPlan(ctx context.Context) error {
	var r adminapi.Rebalance
	if err := s.get(ctx, "/rebalance", &r); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(r)
	}
	s.printPlan(&r)
	return nil
}

func (s *session) printPlan(r *adminapi.Rebalance) {
	if !r.Started.IsZero() {
		fmt.Fprintf(s.out, "Under way since %s, round %d: %d of %d moves done\n", moment(r.Started), r.Round, r.Done, len(r.Moves))
	}
	if len(r.Moves) == 0 {
		fmt.Fprintln(s.out, "The nodes are in balance: there is nothing to move.")
		return
	}
	var total int64
	t := newTable(s.out)
	fmt.Fprintln(t, "ShardID\tSource\tDest\tSize")
	for _, m := range r.Moves {
		total += m.Bytes
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", m.Shard, m.From, m.To, size(m.Bytes))
	}
	t.Flush()
	fmt.Fprintf(s.out, "%d moves, %s\n", len(r.Moves), size(total))
}

func (s *session) applyPlan(ctx context.Context, wait bool) error {
	var r adminapi.Rebalance
	if err := s.post(ctx, "/rebalance", nil, &r); err != nil {
		return err
	}
	if !s.json {
		s.printPlan(&r)
	}
	if len(r.Moves) > 0 && wait {
		if err := s.balanced(ctx); err != nil {
			return err
		}
		return s.say(r, "Rebalanced")
	}
	if s.json {
		return s.printJSON(r)
	}
	return nil
}

// balanced waits until no rebalance is under way.
func (s *session) balanced(ctx context.Context) error {
	b := s.newBar()
	defer b.end()
	for {
		var st adminapi.Status
		if err := s.get(ctx, "/status", &st); err != nil {
			return err
		}
		r := st.Rebalance
		if r == nil {
			return nil
		}
		b.show(int64(r.Done), int64(len(r.Moves)), fmt.Sprintf("round %d, %d of %d moves", r.Round, r.Done, len(r.Moves)))
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
}
