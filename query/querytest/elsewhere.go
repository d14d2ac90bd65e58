package querytest

import (
	"context"

	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// The shards of a Store are as those of other nodes: what goes to them and what
// comes from them goes through its binary form.

func runFragment(ctx context.Context, src exec.Source, f *plan.Fragment, emit func(*exec.Partial) error) error {
	there, err := plan.DecodeFragment(plan.AppendFragment(nil, f))
	if err != nil {
		return err
	}
	return exec.RunFragment(ctx, src, there, func(p *exec.Partial) error {
		here, err := exec.DecodePartial(exec.AppendPartial(nil, p), f)
		if err != nil {
			return err
		}
		return emit(here)
	})
}

func runList(ctx context.Context, src exec.Source, q *exec.ListRequest) (*exec.List, error) {
	there, err := exec.DecodeListRequest(exec.AppendListRequest(nil, q))
	if err != nil {
		return nil, err
	}
	list, err := exec.RunList(ctx, src, there)
	if err != nil {
		return nil, err
	}
	return exec.DecodeList(exec.AppendList(nil, list))
}
