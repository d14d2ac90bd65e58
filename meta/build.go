package meta

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// builder makes snapshots out of keys and values, each from the one before: it
// copies only what a change touches. It is used by one goroutine.
type builder struct {
	keys     keyspace
	next     Snapshot
	groupIDs map[string]uint64 // key of a group to its id: a removal names the key only
	fromDisk bool
	changed  bool // whether the next snapshot shows something else than the last

	// What of next no published snapshot shares, so that it may be changed.
	owned struct {
		databases, continuous, policies, groups, shards, schemas, users, tokens, nodes, alive bool

		schema map[*groupSchema]bool
		live   map[*policyGroups]bool
	}
}

func newBuilder(keys keyspace) *builder {
	b := &builder{keys: keys, groupIDs: map[string]uint64{}}
	b.disown()
	return b
}

func (b *builder) disown() {
	b.owned.databases, b.owned.continuous, b.owned.policies, b.owned.groups = false, false, false, false
	b.owned.shards, b.owned.schemas, b.owned.users, b.owned.tokens, b.owned.nodes, b.owned.alive = false, false, false, false, false, false
	b.owned.schema, b.owned.live = map[*groupSchema]bool{}, map[*policyGroups]bool{}
}

// snapshot gives what has been applied so far.
func (b *builder) snapshot() *Snapshot {
	b.disown()
	if b.changed {
		b.next.changed, b.changed = b.next.revision, false
	}
	s := b.next
	return &s
}

// apply makes one change. After an error, which is of kind model.ErrCorrupt,
// nothing has changed: what was known of the key before stays.
func (b *builder) apply(c Change) error {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(c.Key, b.keys.root), "/")
	var err error
	switch kind {
	case "format":
		err = b.applyCluster(c)
	case "ids":
		err = b.applyIDs(c)
	case "nodes":
		err = b.applyNode(c, rest)
	case "alive":
		err = b.applyAlive(c, rest)
	case "databases":
		err = b.applyDatabase(c, rest)
	case "continuous":
		err = b.applyContinuous(c, rest)
	case "groups":
		err = b.applyGroup(c)
	case "schema":
		err = b.applySchema(c, rest)
	case "users":
		err = b.applyUser(c, rest)
	case "tokens":
		err = b.applyToken(c, rest)
	case "moves":
		err = b.applyMove(c, rest)
	case "extra":
		err = b.applyExtra(c, rest)
	case "absent":
		err = b.applyAbsence(c, rest)
	case "rebalance":
		err = b.applyRebalance(c)
	default:
		return nil // not part of the snapshot
	}
	if err != nil {
		return fmt.Errorf("decode %s: %w", c.Key, err)
	}
	b.changed = true
	return nil
}

func (b *builder) applyCluster(c Change) error {
	if c.Removed {
		return corrupt("the cluster's identity was removed")
	}
	r, err := decodeCluster(c.Value)
	switch {
	case err != nil:
		return err
	case b.next.cluster.ID != "" && b.next.cluster != *r:
		return corrupt("the cluster's identity was changed")
	}
	b.next.cluster = *r
	return nil
}

func (b *builder) applyIDs(c Change) error {
	if c.Removed {
		return corrupt("the counter of ids was removed")
	}
	r, err := decodeIDs(c.Value)
	switch {
	case err != nil:
		return err
	case r.Next < b.next.counter.next:
		return corrupt("the counter of ids went back from %d to %d", b.next.counter.next, r.Next)
	}
	b.next.counter = counter{next: r.Next, modified: c.Modified}
	return nil
}

func (b *builder) applyNode(c Change, rest string) error {
	id, err := parseID(rest)
	if err != nil {
		return err
	}
	var n *Node
	if !c.Removed {
		if n, err = decodeNode(c.Value); err != nil {
			return err
		}
		if n.ID != id {
			return corrupt("key and value name nodes %d and %d", id, n.ID)
		}
	}
	own(&b.next.nodes, &b.owned.nodes)
	if n == nil {
		b.next.nodes = remove(b.next.nodes, id, compareNode)
		return nil
	}
	b.next.nodes = insert(b.next.nodes, id, &node{*n, c.Modified}, compareNode)
	return nil
}

func (b *builder) applyAlive(c Change, rest string) error {
	id, err := parseID(rest)
	if err != nil {
		return err
	}
	own(&b.next.alive, &b.owned.alive)
	if c.Removed {
		b.next.alive = remove(b.next.alive, id, cmp.Compare[uint64])
		return nil
	}
	b.next.alive = insert(b.next.alive, id, id, cmp.Compare[uint64])
	return nil
}

func (b *builder) applyDatabase(c Change, rest string) error {
	uid, err := parseID(rest)
	if err != nil {
		return err
	}
	var d *Database
	if !c.Removed {
		if d, err = decodeDatabase(c.Value); err != nil {
			return err
		}
		if d.UID != uid {
			return corrupt("key and value name databases %d and %d", uid, d.UID)
		}
	}
	own(&b.next.databases, &b.owned.databases)
	b.next.databases = slices.DeleteFunc(b.next.databases, func(d *database) bool { return d.UID == uid })
	if d != nil {
		b.next.databases = insert(b.next.databases, d.Name, &database{*d, c.Modified}, compareDatabase)
	}
	return nil
}

func (b *builder) applyGroup(c Change) error {
	var g *group
	if !c.Removed {
		decoded, err := decodeGroup(c.Value)
		if err != nil {
			return err
		}
		g = &group{ShardGroup: *decoded, key: c.Key, modified: c.Modified}
		if want := b.keys.group(g.Database, g.Policy, g.Start); want != c.Key {
			return corrupt("value belongs to key %s", want)
		}
	}
	own(&b.next.groups, &b.owned.groups)
	own(&b.next.shards, &b.owned.shards)
	if id, ok := b.groupIDs[c.Key]; ok {
		b.removeGroup(b.next.group(id))
	}
	if g == nil {
		return nil
	}
	b.groupIDs[c.Key] = g.ID
	b.next.groups = insert(b.next.groups, g.ID, g, compareGroup)
	for _, sh := range g.Shards {
		b.next.shards = insert(b.next.shards, sh.ID, shardOf{sh.ID, g}, compareShard)
	}
	if g.Live() {
		p := b.ownLive(g.Policy)
		p.live = insert(p.live, g.Start, &g.ShardGroup, compareStart)
	}
	return nil
}

func (b *builder) removeGroup(g *group) {
	delete(b.groupIDs, g.key)
	b.next.groups = remove(b.next.groups, g.ID, compareGroup)
	for _, sh := range g.Shards {
		b.next.shards = remove(b.next.shards, sh.ID, compareShard)
	}
	if !g.Live() {
		return
	}
	p := b.ownLive(g.Policy)
	p.live = remove(p.live, g.Start, compareStart)
	if len(p.live) == 0 {
		b.next.policies = remove(b.next.policies, g.Policy, comparePolicy)
	}
}

// ownLive gives the live groups of a policy for changing.
func (b *builder) ownLive(policy uint64) *policyGroups {
	own(&b.next.policies, &b.owned.policies)
	i, ok := slices.BinarySearchFunc(b.next.policies, policy, comparePolicy)
	if !ok {
		b.next.policies = slices.Insert(b.next.policies, i, &policyGroups{policy: policy})
		b.owned.live[b.next.policies[i]] = true
	}
	if p := b.next.policies[i]; !b.owned.live[p] {
		b.next.policies[i] = &policyGroups{policy: policy, live: slices.Clone(p.live)}
		b.owned.live[b.next.policies[i]] = true
	}
	return b.next.policies[i]
}

func (b *builder) applySchema(c Change, rest string) error {
	idText, escaped, _ := strings.Cut(rest, "/")
	id, err := parseID(idText)
	if err != nil {
		return err
	}
	name, ok := unescape(escaped)
	if !ok {
		return corrupt("measurement %q", escaped)
	}
	if c.Removed {
		if b.next.measurement(id, name) == nil {
			return nil
		}
		g := b.ownSchema(id)
		g.measurements = remove(g.measurements, name, compareMeasurement)
		if len(g.measurements) == 0 {
			b.next.schemas = remove(b.next.schemas, id, compareSchema)
		}
		return nil
	}
	fields, err := decodeSchema(c.Value)
	if err != nil {
		return err
	}
	g := b.ownSchema(id)
	g.measurements = insert(g.measurements, name, &measurement{name, fields, c.Modified}, compareMeasurement)
	return nil
}

// ownSchema gives the schema of a group for changing.
func (b *builder) ownSchema(id uint64) *groupSchema {
	own(&b.next.schemas, &b.owned.schemas)
	i, ok := slices.BinarySearchFunc(b.next.schemas, id, compareSchema)
	if !ok {
		b.next.schemas = slices.Insert(b.next.schemas, i, &groupSchema{group: id})
		b.owned.schema[b.next.schemas[i]] = true
	}
	if g := b.next.schemas[i]; !b.owned.schema[g] {
		b.next.schemas[i] = &groupSchema{group: id, measurements: slices.Clone(g.measurements)}
		b.owned.schema[b.next.schemas[i]] = true
	}
	return b.next.schemas[i]
}

func parseID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != 16 {
		return 0, corrupt("id %q", text)
	}
	return id, nil
}

// own makes s safe to change: published snapshots keep the old one.
func own[T any](s *[]T, owned *bool) {
	if !*owned {
		*s, *owned = slices.Clone(*s), true
	}
}

// insert puts v into a sorted slice, in place of the one that compares equal.
func insert[T, K any](s []T, key K, v T, compare func(T, K) int) []T {
	i, ok := slices.BinarySearchFunc(s, key, compare)
	if ok {
		s[i] = v
		return s
	}
	return slices.Insert(s, i, v)
}

// remove takes out of a sorted slice what compares equal to key, if anything.
func remove[T, K any](s []T, key K, compare func(T, K) int) []T {
	if i, ok := slices.BinarySearchFunc(s, key, compare); ok {
		return slices.Delete(s, i, i+1)
	}
	return s
}

// sortFields sorts fields by name and refuses two of one name.
func sortFields(fields []schemaField) ([]schemaField, error) {
	slices.SortFunc(fields, func(a, b schemaField) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(fields); i++ {
		if fields[i-1].Name == fields[i].Name {
			return nil, corrupt("field %q has two types", fields[i].Name)
		}
	}
	return fields, nil
}

func compareDatabase(d *database, name string) int    { return strings.Compare(d.Name, name) }
func comparePolicy(p *policyGroups, uid uint64) int   { return cmp.Compare(p.policy, uid) }
func compareStart(g *ShardGroup, start int64) int     { return cmp.Compare(g.Start, start) }
func compareGroup(g *group, id uint64) int            { return cmp.Compare(g.ID, id) }
func compareShard(s shardOf, id uint64) int           { return cmp.Compare(s.id, id) }
func compareSchema(g *groupSchema, id uint64) int     { return cmp.Compare(g.group, id) }
func compareMeasurement(m *measurement, n string) int { return strings.Compare(m.name, n) }
func compareField(f schemaField, name string) int     { return strings.Compare(f.Name, name) }
func compareNode(n *node, id uint64) int              { return cmp.Compare(n.ID, id) }
