package meta

import (
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// InfluxDB's rules for retention policies.
const (
	// DefaultPolicyName is the policy of a database created without one.
	DefaultPolicyName = "autogen"

	minPolicyDuration = time.Hour
	day               = 24 * time.Hour
)

// PolicySpec is what a statement says of a retention policy to create.
type PolicySpec struct {
	Name          string         // "" stands for DefaultPolicyName
	Duration      *time.Duration // nil and 0: for ever
	ShardDuration time.Duration  // 0: by Duration
	Replicas      *int           // nil: AutoReplicas

	FutureLimit, PastLimit time.Duration // 0: none
}

// PolicyUpdate is what ALTER RETENTION POLICY says; nil fields stay.
type PolicyUpdate struct {
	Duration      *time.Duration
	ShardDuration *time.Duration
	Replicas      *int
	FutureLimit   *time.Duration // 0: none any more
	PastLimit     *time.Duration
	Default       bool // make it the default; false changes nothing
}

// policy gives the policy that s asks for, without a uid.
func (s *PolicySpec) policy() (*Policy, error) {
	p := &Policy{Name: s.Name, Replicas: AutoReplicas, FutureLimit: s.FutureLimit, PastLimit: s.PastLimit}
	if p.Name == "" {
		p.Name = DefaultPolicyName
	}
	if s.Duration != nil {
		p.Duration = *s.Duration
	}
	if err := p.setReplicas(s.Replicas); err != nil {
		return nil, err
	}
	p.ShardDuration = shardDuration(s.ShardDuration, p.Duration)
	if err := checkName(p.Name); err != nil {
		return nil, err
	}
	return p, p.check()
}

// check applies InfluxDB's rules to the durations and the replicas.
func (p *Policy) check() error {
	switch {
	case p.Duration != 0 && p.Duration < minPolicyDuration:
		return invalid(fmt.Sprintf("retention policy duration must be at least %s", minPolicyDuration))
	case p.Replicas < AutoReplicas:
		return errNoReplicas
	case p.Duration != 0 && p.Duration < p.ShardDuration:
		return invalid("retention policy duration must be greater than the shard duration")
	case p.FutureLimit < 0 || p.PastLimit < 0:
		return invalid("write limits of a retention policy must not be negative")
	}
	return nil
}

// setReplicas takes the factor of a statement, if it has one. None can ask for
// AutoReplicas by number.
func (p *Policy) setReplicas(n *int) error {
	if n == nil {
		return nil
	}
	if *n < 1 {
		return errNoReplicas
	}
	p.Replicas = *n
	return nil
}

var errNoReplicas = invalid("replication factor must be greater than 0")

// apply gives p as u changes it. The shard duration is not derived anew from
// another duration, as in InfluxDB.
func (u *PolicyUpdate) apply(p *Policy) (*Policy, error) {
	to := *p
	if u.Duration != nil {
		to.Duration = *u.Duration
	}
	if err := to.setReplicas(u.Replicas); err != nil {
		return nil, err
	}
	if u.ShardDuration != nil {
		to.ShardDuration = shardDuration(*u.ShardDuration, to.Duration)
	}
	if u.FutureLimit != nil {
		to.FutureLimit = *u.FutureLimit
	}
	if u.PastLimit != nil {
		to.PastLimit = *u.PastLimit
	}
	return &to, to.check()
}

// same reports whether p and o ask for the same thing under the same name. A
// factor that is auto is the same as the number that is in force.
func (s *Snapshot) same(p, o *Policy) bool {
	return p.Name == o.Name && p.Duration == o.Duration && p.ShardDuration == o.ShardDuration && s.Factor(p) == s.Factor(o) &&
		p.FutureLimit == o.FutureLimit && p.PastLimit == o.PastLimit
}

// shardDuration gives the span of the groups of a policy: what was asked for,
// at least an hour, or InfluxDB's default for the policy's duration.
func shardDuration(asked, duration time.Duration) time.Duration {
	switch {
	case asked != 0:
		return max(asked, minPolicyDuration)
	case duration == 0 || duration >= 180*day:
		return 7 * day
	case duration >= 2*day:
		return day
	}
	return time.Hour
}

func invalid(text string) error { return &model.Error{Kind: model.ErrInvalid, Text: text} }
