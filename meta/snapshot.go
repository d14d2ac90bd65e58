package meta

import (
	"slices"

	"github.com/varvedb/varve/model"
)

// Snapshot is the metadata at one revision. It is immutable, and so is all
// that its methods return.
type Snapshot struct {
	revision int64
	changed  int64 // revision since which nothing that s shows has changed
	cluster  clusterRecord
	counter  counter

	databases  []*database        // sorted by name
	continuous []*continuousQuery // sorted by uid of the database, then by their own
	policies   []*policyGroups    // sorted by uid of the policy
	groups     []*group           // all, also deleted ones, sorted by id
	shards     []shardOf          // of all groups, sorted by id
	schemas    []*groupSchema     // sorted by id of the group
	users      []*user            // sorted by name
	tokens     []*token           // sorted by uid
	nodes      []*node            // sorted by id
	alive      []uint64           // ids of nodes whose lease has not ended, sorted
	control    controlState

	// defaultReplication is Config.DefaultReplication.
	defaultReplication int
}

// What the snapshot keeps beside the public values: the revision at which the
// key was last modified, which guards changes.
type (
	database struct {
		Database
		modified int64
	}
	group struct {
		ShardGroup
		key      string
		modified int64
	}
	node struct {
		Node
		modified int64
	}
	counter struct {
		next     uint64
		modified int64
	}
	shardOf struct {
		id    uint64
		group *group
	}
)

// policyGroups is the live groups of a policy, sorted by start. Since they do
// not overlap they are sorted by end, too.
type policyGroups struct {
	policy uint64
	live   []*ShardGroup
}

// groupSchema is the measurements of a group, sorted by name.
type groupSchema struct {
	group        uint64
	measurements []*measurement
}

// measurement is the agreed types of the fields of one measurement in one
// group, sorted by name. Copied ones come from the group before and nothing
// has been written with them yet.
type measurement struct {
	name     string
	fields   []schemaField
	modified int64
}

type schemaField struct {
	model.Field
	copied bool
}

// Revision gives the revision of the metadata store that s shows.
func (s *Snapshot) Revision() int64 { return s.revision }

// ClusterID names the cluster for ever, in 32 hexadecimal digits.
func (s *Snapshot) ClusterID() string { return s.cluster.ID }

// HashSeed gives the secret seed of the cluster's series hashes.
func (s *Snapshot) HashSeed() uint64 { return uint64(s.cluster.HashSeed) }

// Database gives the database of that name, or nil. A nil is no proof that
// there is none: see Store.Database.
func (s *Snapshot) Database(name string) *Database {
	if d := s.database(name); d != nil {
		return &d.Database
	}
	return nil
}

func (s *Snapshot) database(name string) *database {
	i, ok := slices.BinarySearchFunc(s.databases, name, compareDatabase)
	if !ok {
		return nil
	}
	return s.databases[i]
}

// Databases gives all databases, sorted by name.
func (s *Snapshot) Databases() []*Database {
	out := make([]*Database, len(s.databases))
	for i, d := range s.databases {
		out[i] = &d.Database
	}
	return out
}

// Policy finds a policy and its database by the policy's uid, or gives nil. It
// looks at every policy.
func (s *Snapshot) Policy(uid uint64) (*Database, *Policy) {
	d, p := s.policy(uid)
	if p == nil {
		return nil, nil
	}
	return &d.Database, p
}

func (s *Snapshot) policy(uid uint64) (*database, *Policy) {
	for _, d := range s.databases {
		for _, p := range d.Policies {
			if p.UID == uid {
				return d, p
			}
		}
	}
	return nil, nil
}

// Groups gives the live groups of a policy that share a time with r, in order
// of time.
func (s *Snapshot) Groups(policy uint64, r model.TimeRange) []*ShardGroup {
	live := s.live(policy)
	if r.Empty() {
		return nil
	}
	from, _ := slices.BinarySearchFunc(live, r.Min, func(g *ShardGroup, t int64) int {
		if g.End <= t {
			return -1
		}
		return 1
	})
	to := from
	for to < len(live) && live[to].Start <= r.Max {
		to++
	}
	return live[from:to:to]
}

// Group gives the live group of a policy that holds t, or nil.
func (s *Snapshot) Group(policy uint64, t int64) *ShardGroup {
	if g := s.Groups(policy, model.TimeRange{Min: t, Max: t}); len(g) > 0 {
		return g[0]
	}
	return nil
}

func (s *Snapshot) live(policy uint64) []*ShardGroup {
	i, ok := slices.BinarySearchFunc(s.policies, policy, comparePolicy)
	if !ok {
		return nil
	}
	return s.policies[i].live
}

// GroupByID gives a group, live or marked deleted, or nil.
func (s *Snapshot) GroupByID(id uint64) *ShardGroup {
	if g := s.group(id); g != nil {
		return &g.ShardGroup
	}
	return nil
}

func (s *Snapshot) group(id uint64) *group {
	i, ok := slices.BinarySearchFunc(s.groups, id, compareGroup)
	if !ok {
		return nil
	}
	return s.groups[i]
}

// Shard finds a shard and its group, which may be marked deleted, or gives
// nil. A shard that was in one snapshot and is not in a later one of the same
// Store was dropped.
func (s *Snapshot) Shard(id uint64) (*ShardGroup, *Shard) {
	i, ok := slices.BinarySearchFunc(s.shards, id, compareShard)
	if !ok {
		return nil, nil
	}
	g := &s.shards[i].group.ShardGroup
	for j := range g.Shards {
		if g.Shards[j].ID == id {
			return g, &g.Shards[j]
		}
	}
	return nil, nil
}

// AllGroups calls yield with every group, those marked deleted too, in order of
// id, until it returns false.
func (s *Snapshot) AllGroups(yield func(*ShardGroup) bool) {
	for _, g := range s.groups {
		if !yield(&g.ShardGroup) {
			return
		}
	}
}

// FieldType gives the agreed type of a field in a group.
func (s *Snapshot) FieldType(groupID uint64, measurement, field string) (model.FieldType, bool) {
	m := s.measurement(groupID, measurement)
	if m == nil {
		return 0, false
	}
	if f := m.field(field); f != nil {
		return f.Type, true
	}
	return 0, false
}

// InUse reports whether anything was written to a group: whether it has an
// agreed type that was not merely copied from the group before.
func (s *Snapshot) InUse(groupID uint64) bool {
	g := s.schema(groupID)
	return g != nil && slices.ContainsFunc(g.measurements, func(m *measurement) bool {
		return slices.ContainsFunc(m.fields, func(f schemaField) bool { return !f.copied })
	})
}

func (s *Snapshot) schema(groupID uint64) *groupSchema {
	i, ok := slices.BinarySearchFunc(s.schemas, groupID, compareSchema)
	if !ok {
		return nil
	}
	return s.schemas[i]
}

func (s *Snapshot) measurement(groupID uint64, name string) *measurement {
	g := s.schema(groupID)
	if g == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(g.measurements, name, compareMeasurement)
	if !ok {
		return nil
	}
	return g.measurements[i]
}

// field finds a field by name, or gives nil; so it does of a nil measurement.
func (m *measurement) field(name string) *schemaField {
	if m == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(m.fields, name, compareField)
	if !ok {
		return nil
	}
	return &m.fields[i]
}

// Nodes gives the nodes, sorted by id.
func (s *Snapshot) Nodes() []*Node {
	out := make([]*Node, len(s.nodes))
	for i, n := range s.nodes {
		out[i] = &n.Node
	}
	return out
}

// Node gives a node, or nil.
func (s *Snapshot) Node(id uint64) *Node {
	if n := s.node(id); n != nil {
		return &n.Node
	}
	return nil
}

func (s *Snapshot) node(id uint64) *node {
	i, ok := slices.BinarySearchFunc(s.nodes, id, compareNode)
	if !ok {
		return nil
	}
	return s.nodes[i]
}

// Alive reports whether the lease of a node had not ended. It says nothing
// while Store.Away: nobody is seen to come or go then.
func (s *Snapshot) Alive(node uint64) bool {
	_, ok := slices.BinarySearch(s.alive, node)
	return ok
}

// Factor gives the replication factor in force for a policy: its own, or for
// one that is auto Config.DefaultReplication, as far as there are nodes that
// take data.
func (s *Snapshot) Factor(p *Policy) int {
	if p.Replicas != AutoReplicas {
		return p.Replicas
	}
	nodes := 0
	for _, n := range s.nodes {
		if n.TakesData() {
			nodes++
		}
	}
	return max(1, min(s.defaultReplication, nodes))
}
