package meta

import (
	"cmp"
	"fmt"
	"slices"
)

// extra is how many owners CopyShard asked for, when its policy asks for fewer.
type extra struct {
	shard    uint64
	owners   int
	modified int64
}

type extraRecord struct {
	Format int    `json:"format"`
	Shard  uint64 `json:"shard"`
	Owners int    `json:"owners"`
}

func (k keyspace) extra(shard uint64) string { return fmt.Sprintf("%sextra/%016x", k.root, shard) }

// copies gives how many owners of a shard were asked for by hand, or 0.
func (s *Snapshot) copies(shard uint64) int {
	if i, ok := slices.BinarySearchFunc(s.control.extra, shard, compareExtra); ok {
		return s.control.extra[i].owners
	}
	return 0
}

// setCopies changes how many owners of a shard are asked for by hand; 0 for as
// many as the policy says.
func (s *Store) setCopies(now *Snapshot, shard uint64, owners int) (also shardChange) {
	c := Condition{Key: s.keys.extra(shard)}
	if i, ok := slices.BinarySearchFunc(now.control.extra, shard, compareExtra); ok {
		c.Revision = now.control.extra[i].modified
	}
	switch {
	case now.copies(shard) == owners:
	case owners == 0:
		also.ops = []Op{Delete(c.Key)}
	default:
		also.ops = []Op{Put(c.Key, encode(extraRecord{recordFormat, shard, owners}))}
	}
	also.when = []Condition{c}
	return also
}

func (b *builder) applyExtra(c Change, rest string) error {
	id, err := parseID(rest)
	if err != nil {
		return err
	}
	all := slices.Clone(b.next.control.extra)
	if c.Removed {
		b.next.control.extra = remove(all, id, compareExtra)
		return nil
	}
	r, err := decode(c.Value, func(r *extraRecord) int { return r.Format })
	if err != nil {
		return err
	}
	if r.Shard != id || r.Owners < 1 {
		return corrupt("%d owners of shard %d under the key of shard %d", r.Owners, r.Shard, id)
	}
	b.next.control.extra = insert(all, id, &extra{id, r.Owners, c.Modified}, compareExtra)
	return nil
}

func compareExtra(e *extra, shard uint64) int { return cmp.Compare(e.shard, shard) }
