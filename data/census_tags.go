package data

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/varvedb/varve/tsm"
)

// TagCensus is how many values a tag of a measurement has in one shard.
type TagCensus struct {
	Measurement, Key string
	Values           int
}

// Tags counts the values of all tags of a measurement in the shards of a group
// that are open here, the most first.
func (n *Node) Tags(ctx context.Context, group uint64, measurement string) ([]TagCensus, error) {
	values := map[string]int{}
	snapshot := n.follow()
	for h, shard := range n.shards.useOpen() {
		err := ctx.Err()
		if g, sh := snapshot.Shard(h.id); err == nil && sh != nil && g.ID == group {
			err = countTags(ctx, shard, measurement, values)
		}
		n.release(h)
		if err != nil {
			return nil, err
		}
	}
	var out []TagCensus
	for key, n := range values {
		out = append(out, TagCensus{measurement, key, n})
	}
	slices.SortFunc(out, func(a, b TagCensus) int {
		return cmp.Or(cmp.Compare(b.Values, a.Values), strings.Compare(a.Key, b.Key))
	})
	return out, nil
}

// countTags raises values to what a shard has.
func countTags(ctx context.Context, shard *tsm.Shard, measurement string, values map[string]int) error {
	r, err := shard.Reader()
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // nothing was written
	for _, key := range r.TagKeys(measurement) {
		all, err := r.TagValues(ctx, measurement, key)
		if err != nil {
			return err
		}
		values[key] = max(values[key], len(all))
	}
	return nil
}
