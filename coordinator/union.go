package coordinator

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// union is what shards know of measurements, put together as they answer:
// thousands of measurements in hundreds of shards are not held all at once.
type union struct {
	account      memory.Account
	measurements map[string]*known
	shards       int
	asked        *plan.Asked
}

// known is what is known of a measurement.
type known struct {
	fields []model.Field // sorted by name and type
	tags   []string      // sorted
	has    model.Bitmap  // the shards, by their place among those that are asked
}

// bytes is what k takes.
func (k *known) bytes() int {
	n := 160 + len(k.has)*8
	for i := range k.fields {
		n += 24 + len(k.fields[i].Name)
	}
	for _, t := range k.tags {
		n += 16 + len(t)
	}
	return n
}

func newUnion(found []part, account memory.Account) *union {
	ids := make([]uint64, len(found))
	for i, p := range found {
		ids[i] = p.shard.ID
	}
	return &union{account: account, measurements: make(map[string]*known), shards: len(ids), asked: plan.NewAsked(ids)}
}

// add takes in what the shard in a certain place has answered.
func (u *union) add(place int, answer []data.Measurement) error {
	u.asked.Answer(place)
	bytes := 0
	for _, m := range answer {
		k := u.measurements[m.Name]
		if k == nil {
			k = &known{has: model.NewBitmap(u.shards)}
			u.measurements[m.Name] = k
			bytes += k.bytes() + len(m.Name)
		}
		k.has.Set(place)
		bytes -= k.bytes()
		k.fields = merge(k.fields, m.Fields, func(a, b model.Field) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
		})
		k.tags = merge(k.tags, m.Tags, strings.Compare)
		bytes += k.bytes()
	}
	return u.account.Add(bytes)
}

// merge gives the union of two sorted lists. Mostly the shards of a measurement
// know the same.
func merge[T comparable](a, b []T, compare func(T, T) int) []T {
	if slices.Equal(a, b) {
		return a
	}
	out := append(slices.Clone(a), b...)
	slices.SortFunc(out, compare)
	return slices.Compact(out)
}

// schemas gives what is known, by name.
func (u *union) schemas(database, policy string) []plan.Schema {
	out := make([]plan.Schema, 0, len(u.measurements))
	for _, name := range slices.Sorted(maps.Keys(u.measurements)) {
		k := u.measurements[name]
		out = append(out, plan.Schema{
			Database: database, Policy: policy, Name: name, Fields: k.fields, TagKeys: k.tags,
			Located: &plan.Located{Asked: u.asked, Has: k.has},
		})
	}
	return out
}
