package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/varvedb/varve/model"
)

// recordFormat is the format version in every value. A value of another one is
// not understood, and not overwritten.
const recordFormat = 1

// The values in etcd, in JSON. FORMAT.md says what each means.
type (
	clusterRecord struct {
		Format   int    `json:"format"`
		ID       string `json:"cluster_id"`
		HashSeed hex64  `json:"hash_seed"`
	}
	idsRecord struct {
		Format int    `json:"format"`
		Next   uint64 `json:"next"`
	}
	changedRecord struct {
		Format int    `json:"format"`
		By     uint64 `json:"by"` // node id, for people
	}
	nameRecord struct {
		Format   int    `json:"format"`
		Database uint64 `json:"database"`
	}
	leaseRecord struct {
		Format int    `json:"format"`
		Holder uint64 `json:"holder"` // node id
	}
	databaseRecord struct {
		Format        int            `json:"format"`
		UID           uint64         `json:"uid"`
		Name          string         `json:"name"`
		DefaultPolicy string         `json:"default_policy"`
		Policies      []policyRecord `json:"policies"`

		// 0 is the server's default, less is no limit.
		MaxSeries       int64 `json:"max_series,omitempty"`
		MaxValuesPerTag int64 `json:"max_values_per_tag,omitempty"`

		Quota quotaRecord `json:"quota,omitzero"`
	}
	quotaRecord struct { // 0 is no limit
		WritePoints int64 `json:"write_points,omitempty"` // in a second
		Queries     int64 `json:"queries,omitempty"`      // at a time
		QueryBytes  int64 `json:"query_bytes,omitempty"`
	}
	policyRecord struct {
		UID           uint64               `json:"uid"`
		Name          string               `json:"name"`
		Duration      duration             `json:"duration"`
		ShardDuration duration             `json:"shard_duration"`
		Replicas      int                  `json:"replicas"`
		FutureLimit   duration             `json:"future_limit,omitzero"`
		PastLimit     duration             `json:"past_limit,omitzero"`
		Subscriptions []subscriptionRecord `json:"subscriptions,omitempty"`
	}
	subscriptionRecord struct {
		Name         string           `json:"name"`
		Mode         SubscriptionMode `json:"mode"`
		Destinations []string         `json:"destinations"`
	}
	continuousRecord struct {
		Format   int    `json:"format"`
		UID      uint64 `json:"uid"`
		Database uint64 `json:"database"`
		Name     string `json:"name"`
		Text     string `json:"text"`
	}
	userRecord struct {
		Format int           `json:"format"`
		UID    uint64        `json:"uid"`
		Name   string        `json:"name"`
		Hash   string        `json:"hash"`
		Admin  bool          `json:"admin,omitempty"`
		Grants []grantRecord `json:"grants,omitempty"`

		MaxSeries       int64       `json:"max_series,omitempty"`
		MaxValuesPerTag int64       `json:"max_values_per_tag,omitempty"`
		Quota           quotaRecord `json:"quota,omitzero"`
	}
	tokenRecord struct {
		Format  int           `json:"format"`
		UID     uint64        `json:"uid"`
		Name    string        `json:"name"`
		Digest  string        `json:"sha256"`
		Admin   bool          `json:"admin,omitempty"`
		Monitor bool          `json:"monitor,omitempty"`
		Grants  []grantRecord `json:"grants,omitempty"`
		Created time.Time     `json:"created"`
		Expires time.Time     `json:"expires,omitzero"`
	}
	grantRecord struct {
		Database  uint64 `json:"database"`
		Privilege string `json:"privilege"`
	}
	progressRecord struct {
		Format  int       `json:"format"`
		Query   uint64    `json:"query"`
		Until   time.Time `json:"until"`
		Ran     time.Time `json:"ran"`
		Points  uint64    `json:"points"`
		Failure string    `json:"failure,omitempty"`
	}
	groupRecord struct {
		Format    int           `json:"format"`
		ID        uint64        `json:"id"`
		Database  uint64        `json:"database"`
		Policy    uint64        `json:"policy"`
		Start     time.Time     `json:"start"`
		End       time.Time     `json:"end"`
		DeletedAt time.Time     `json:"deleted_at,omitzero"`
		Shards    []shardRecord `json:"shards"`
	}
	shardRecord struct {
		ID       uint64        `json:"id"`
		Revision uint64        `json:"revision"`
		Owners   []ownerRecord `json:"owners"`
	}
	ownerRecord struct {
		Node  uint64     `json:"node"`
		State OwnerState `json:"state"`
	}
	nodeRecord struct {
		Format      int               `json:"format"`
		ID          uint64            `json:"id"`
		Name        string            `json:"name"`
		Incarnation hex64             `json:"incarnation"`
		Starts      uint64            `json:"starts"`
		Run         hex64             `json:"run"`
		Roles       []Role            `json:"roles"`
		Version     string            `json:"version"`
		Addresses   Addresses         `json:"addresses,omitzero"`
		Labels      map[string]string `json:"labels,omitempty"`
		Draining    bool              `json:"draining,omitempty"`
		Replaces    []uint64          `json:"replaces,omitempty"`
	}
	// aliveRecord is for people: that its key is there says all.
	aliveRecord struct {
		Format int    `json:"format"`
		Start  uint64 `json:"start"` // of the node
	}
	secretRecord struct {
		Format  int       `json:"format"`
		Value   []byte    `json:"value"`
		Expires time.Time `json:"expires,omitzero"`
	}
	// schemaRecord maps field names, escaped as in keys, to types.
	schemaRecord struct {
		Format int               `json:"format"`
		Fields map[string]string `json:"fields,omitempty"` // in use
		Copied map[string]string `json:"copied,omitempty"` // from the group before
	}
)

// hex64 is 64 random bits, which the numbers of JSON would round for most
// programs that read them.
type hex64 uint64

func (h hex64) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(h)), nil }

func (h *hex64) UnmarshalText(b []byte) error {
	v, err := strconv.ParseUint(string(b), 16, 64)
	*h = hex64(v)
	return err
}

// duration is written as in "168h0m0s".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = duration(v)
	return err
}

// encode writes a record. All of them can be encoded: names are checked for
// UTF-8 before.
func encode(record any) []byte {
	b, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", record, err))
	}
	return b
}

// decode reads a record and checks its format version.
func decode[R any](value []byte, format func(*R) int) (*R, error) {
	r := new(R)
	if err := json.Unmarshal(value, r); err != nil {
		return nil, fmt.Errorf("%w: %w", model.ErrCorrupt, err)
	}
	if f := format(r); f != recordFormat {
		if f > recordFormat {
			return nil, fmt.Errorf("%w: %w %d, this server knows %d", model.ErrCorrupt, errNewer, f, recordFormat)
		}
		return nil, fmt.Errorf("%w: format version %d, this server knows %d", model.ErrCorrupt, f, recordFormat)
	}
	return r, nil
}

// errNewer is of an error about a value that a later version of this server wrote.
var errNewer = errors.New("written by a newer server, in format version")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", model.ErrCorrupt, fmt.Sprintf(format, args...))
}

func decodeCluster(value []byte) (*clusterRecord, error) {
	r, err := decode(value, func(r *clusterRecord) int { return r.Format })
	if err == nil && r.ID == "" {
		err = corrupt("no cluster id")
	}
	return r, err
}

func decodeIDs(value []byte) (*idsRecord, error) {
	r, err := decode(value, func(r *idsRecord) int { return r.Format })
	if err == nil && r.Next == 0 {
		err = corrupt("next id is 0")
	}
	return r, err
}

func databaseToRecord(d *Database) databaseRecord {
	r := databaseRecord{
		Format: recordFormat, UID: d.UID, Name: d.Name, DefaultPolicy: d.DefaultPolicy, Policies: []policyRecord{},
		MaxSeries: d.Limits.Series, MaxValuesPerTag: d.Limits.ValuesPerTag, Quota: quotaRecord(d.Quota),
	}
	for _, p := range d.Policies {
		pr := policyRecord{
			UID: p.UID, Name: p.Name, Duration: duration(p.Duration), ShardDuration: duration(p.ShardDuration), Replicas: p.Replicas,
			FutureLimit: duration(p.FutureLimit), PastLimit: duration(p.PastLimit),
		}
		for _, sub := range p.Subscriptions {
			pr.Subscriptions = append(pr.Subscriptions, subscriptionRecord(*sub))
		}
		r.Policies = append(r.Policies, pr)
	}
	return r
}

func decodeDatabase(value []byte) (*Database, error) {
	r, err := decode(value, func(r *databaseRecord) int { return r.Format })
	if err != nil {
		return nil, err
	}
	if err := checkName(r.Name); err != nil {
		return nil, corrupt("database %q: %v", r.Name, err)
	}
	d := &Database{
		UID: r.UID, Name: r.Name, DefaultPolicy: r.DefaultPolicy,
		Limits: model.SeriesLimits{Series: r.MaxSeries, ValuesPerTag: r.MaxValuesPerTag},
		Quota:  model.Quota(r.Quota),
	}
	for _, pr := range r.Policies {
		p := &Policy{
			UID: pr.UID, Name: pr.Name, Duration: time.Duration(pr.Duration), ShardDuration: time.Duration(pr.ShardDuration), Replicas: pr.Replicas,
			FutureLimit: time.Duration(pr.FutureLimit), PastLimit: time.Duration(pr.PastLimit),
		}
		for _, sr := range pr.Subscriptions {
			if sr.Mode != ToAll && sr.Mode != ToAny {
				return nil, corrupt("policy %q: subscription %q of mode %q", p.Name, sr.Name, sr.Mode)
			}
			sub := Subscription(sr)
			p.Subscriptions = append(p.Subscriptions, &sub)
		}
		if err := p.check(); err != nil {
			return nil, corrupt("policy %q: %v", p.Name, err)
		}
		if p.ShardDuration < minPolicyDuration {
			return nil, corrupt("policy %q: shard duration %s", p.Name, p.ShardDuration)
		}
		d.Policies = append(d.Policies, p)
	}
	return d, nil
}

func groupToRecord(g *ShardGroup) groupRecord {
	r := groupRecord{
		Format: recordFormat, ID: g.ID, Database: g.Database, Policy: g.Policy,
		Start: time.Unix(0, g.Start).UTC(), End: time.Unix(0, g.End).UTC(),
	}
	if !g.Live() {
		r.DeletedAt = time.Unix(0, g.DeletedAt).UTC()
	}
	for _, sh := range g.Shards {
		sr := shardRecord{ID: sh.ID, Revision: sh.Revision}
		for _, o := range sh.Owners {
			sr.Owners = append(sr.Owners, ownerRecord(o))
		}
		r.Shards = append(r.Shards, sr)
	}
	return r
}

func decodeGroup(value []byte) (*ShardGroup, error) {
	r, err := decode(value, func(r *groupRecord) int { return r.Format })
	if err != nil {
		return nil, err
	}
	g := &ShardGroup{ID: r.ID, Database: r.Database, Policy: r.Policy}
	var ok [2]bool
	g.Start, ok[0] = nanoseconds(r.Start)
	g.End, ok[1] = nanoseconds(r.End)
	if !ok[0] || !ok[1] || g.Start >= g.End || len(r.Shards) == 0 {
		return nil, corrupt("group %d from %s to %s with %d shards", r.ID, r.Start, r.End, len(r.Shards))
	}
	if !r.DeletedAt.IsZero() {
		g.DeletedAt, ok[0] = nanoseconds(r.DeletedAt)
		if !ok[0] || g.DeletedAt == 0 {
			return nil, corrupt("group %d deleted at %s", r.ID, r.DeletedAt)
		}
	}
	for _, sr := range r.Shards {
		sh := Shard{ID: sr.ID, Revision: sr.Revision}
		for _, o := range sr.Owners {
			switch o.State {
			case Joining, Active, Leaving, Rebuild:
			default:
				return nil, corrupt("shard %d: owner state %q", sr.ID, o.State)
			}
			sh.Owners = append(sh.Owners, Owner(o))
		}
		g.Shards = append(g.Shards, sh)
	}
	return g, nil
}

// nanoseconds gives t in nanoseconds since 1970, if int64 can.
func nanoseconds(t time.Time) (int64, bool) {
	n := t.UnixNano()
	return n, time.Unix(0, n).Equal(t)
}

func nodeToRecord(n *Node) nodeRecord {
	return nodeRecord{
		Format: recordFormat, ID: n.ID, Name: n.Name, Incarnation: hex64(n.Incarnation), Starts: n.Starts, Run: hex64(n.run), Roles: n.Roles,
		Version: n.Version, Addresses: n.Addresses, Labels: n.Labels, Draining: n.Draining, Replaces: n.replaces,
	}
}

func decodeNode(value []byte) (*Node, error) {
	r, err := decode(value, func(r *nodeRecord) int { return r.Format })
	if err != nil {
		return nil, err
	}
	if r.ID == 0 {
		return nil, corrupt("a node without an id")
	}
	if err := checkName(r.Name); err != nil {
		return nil, corrupt("node %q: %v", r.Name, err)
	}
	return &Node{
		ID: r.ID, Name: r.Name, Incarnation: uint64(r.Incarnation), Roles: r.Roles, Version: r.Version, Addresses: r.Addresses,
		Labels: r.Labels, Starts: r.Starts, run: uint64(r.Run), Draining: r.Draining, replaces: r.Replaces,
	}, nil
}

func schemaToRecord(fields []schemaField) schemaRecord {
	r := schemaRecord{Format: recordFormat, Fields: map[string]string{}, Copied: map[string]string{}}
	for _, f := range fields {
		to := r.Fields
		if f.copied {
			to = r.Copied
		}
		to[escape(f.Name)] = f.Type.String()
	}
	return r
}

func decodeSchema(value []byte) ([]schemaField, error) {
	r, err := decode(value, func(r *schemaRecord) int { return r.Format })
	if err != nil {
		return nil, err
	}
	if len(r.Fields)+len(r.Copied) == 0 {
		return nil, corrupt("a measurement without fields")
	}
	fields := make([]schemaField, 0, len(r.Fields)+len(r.Copied))
	for copied, names := range map[bool]map[string]string{false: r.Fields, true: r.Copied} {
		for escaped, text := range names {
			name, ok := unescape(escaped)
			t := fieldType(text)
			if !ok || !t.Valid() {
				return nil, corrupt("field %q of type %q", escaped, text)
			}
			fields = append(fields, schemaField{Field: model.Field{Name: name, Type: t}, copied: copied})
		}
	}
	return sortFields(fields)
}

func fieldType(name string) model.FieldType {
	for t := model.Float; t.Valid(); t++ {
		if t.String() == name {
			return t
		}
	}
	return 0
}
