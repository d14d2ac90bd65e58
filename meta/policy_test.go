package meta_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
)

const day = 24 * time.Hour

func spec(name string, duration, shard time.Duration, replicas int) meta.PolicySpec {
	return meta.PolicySpec{Name: name, Duration: &duration, ShardDuration: shard, Replicas: &replicas}
}

// show writes the policies of a database as SHOW RETENTION POLICIES does.
func show(s *meta.Store, database string) string {
	var b strings.Builder
	d := s.Snapshot().Database(database)
	for _, p := range d.Policies {
		fmt.Fprintf(&b, "%s %s %s %d %v\n", p.Name, p.Duration, p.ShardDuration, s.Snapshot().Factor(p), p.Name == d.DefaultPolicy)
	}
	return b.String()
}

// The steps and answers are those recorded from InfluxDB 1.8.10.
func TestPoliciesFollowInfluxDB(t *testing.T) {
	s := metatest.OpenStore(t, metatest.NewMemory(), "n")
	ctx := t.Context()
	step := func(what string, err error, want string) {
		t.Helper()
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	d := func(v time.Duration) *time.Duration { return &v }
	three := spec("three", 3*day, time.Hour, 1)

	step("create", s.CreateDatabase(ctx, "d", nil), "")
	step("create again", s.CreateDatabase(ctx, "d", nil), "")
	step("create with", s.CreateDatabase(ctx, "d2", &three), "")
	step("create with the same", s.CreateDatabase(ctx, "d2", &three), "")
	step("create with another", s.CreateDatabase(ctx, "d2", &meta.PolicySpec{Duration: d(4 * day)}), "retention policy conflicts with an existing policy")
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "a\nb", "\xff"} {
		step(fmt.Sprintf("create %q", name), s.CreateDatabase(ctx, name, nil), "invalid name")
	}
	step("create long", s.CreateDatabase(ctx, strings.Repeat("x", 256), nil), "name too long")
	step("create short", s.CreateDatabase(ctx, "dx", &meta.PolicySpec{Duration: d(30 * time.Minute)}), "retention policy duration must be at least 1h0m0s")
	step("create with a short shard", s.CreateDatabase(ctx, "dx", &meta.PolicySpec{ShardDuration: time.Minute}), "")
	step("create with a name", s.CreateDatabase(ctx, "dx", &meta.PolicySpec{Name: "autogen2"}), "retention policy conflicts with an existing policy")
	if got, want := show(s, "dx"), "autogen 0s 1h0m0s 1 true\n"; got != want {
		t.Errorf("policies of dx: %q, want %q", got, want)
	}
	step("drop", s.DropDatabase(ctx, "dx"), "")
	step("drop again", s.DropDatabase(ctx, "dx"), "")

	step("rp1", s.CreatePolicy(ctx, "d", spec("rp1", time.Hour, 0, 1), false), "")
	step("rp1 same", s.CreatePolicy(ctx, "d", spec("rp1", time.Hour, 0, 1), false), "")
	step("rp1 same default", s.CreatePolicy(ctx, "d", spec("rp1", time.Hour, 0, 1), true), "retention policy conflicts with an existing policy")
	step("rp1 other", s.CreatePolicy(ctx, "d", spec("rp1", 2*time.Hour, 0, 1), false), "retention policy already exists")
	step("rp2", s.CreatePolicy(ctx, "d", spec("rp2", 2*day, 0, 1), true), "")
	step("rp3", s.CreatePolicy(ctx, "d", spec("rp3", 52*7*day, 7*day, 2), false), "")
	step("rp5", s.CreatePolicy(ctx, "d", spec("rp5", 200*day, 0, 1), false), "")
	step("rp6", s.CreatePolicy(ctx, "d", spec("rp6", 30*time.Minute, 0, 1), false), "retention policy duration must be at least 1h0m0s")
	step("rp10", s.CreatePolicy(ctx, "d", spec("rp10", time.Hour, 2*time.Hour, 1), false), "retention policy duration must be greater than the shard duration")
	step("rp11", s.CreatePolicy(ctx, "d", spec("rp11", 0, 0, 1), false), "")
	step("r p", s.CreatePolicy(ctx, "d", spec("r p", day, 0, 1), false), "")
	step("no name", s.CreatePolicy(ctx, "d", spec("", day, 0, 1), false), "invalid name")
	step("no database", s.CreatePolicy(ctx, "nosuch", spec("rpx", day, 0, 1), false), "database not found: nosuch")
	step("alter", s.AlterPolicy(ctx, "d", "rp1", meta.PolicyUpdate{Duration: d(3 * time.Hour)}), "")
	n := 3
	step("alter replicas", s.AlterPolicy(ctx, "d", "rp1", meta.PolicyUpdate{Replicas: &n}), "")
	step("alter shard", s.AlterPolicy(ctx, "d", "rp1", meta.PolicyUpdate{ShardDuration: d(2 * time.Hour)}), "")
	step("alter short", s.AlterPolicy(ctx, "d", "rp1", meta.PolicyUpdate{Duration: d(10 * time.Minute)}), "retention policy duration must be at least 1h0m0s")
	step("alter both", s.AlterPolicy(ctx, "d", "rp1", meta.PolicyUpdate{Duration: d(time.Hour), ShardDuration: d(3 * time.Hour)}), "retention policy duration must be greater than the shard duration")
	step("alter default", s.AlterPolicy(ctx, "d", "rp1", meta.PolicyUpdate{Default: true}), "")
	step("alter no policy", s.AlterPolicy(ctx, "d", "nosuch", meta.PolicyUpdate{Duration: d(3 * time.Hour)}), "retention policy not found: nosuch")
	step("alter no database", s.AlterPolicy(ctx, "nosuch", "rp1", meta.PolicyUpdate{Duration: d(3 * time.Hour)}), "database not found: nosuch")
	step("drop rp3", s.DropPolicy(ctx, "d", "rp3"), "")
	step("drop rp3 again", s.DropPolicy(ctx, "d", "rp3"), "")
	step("drop of no database", s.DropPolicy(ctx, "nosuch", "rp3"), "")
	want := "autogen 0s 168h0m0s 1 false\n" +
		"rp1 3h0m0s 2h0m0s 3 true\n" +
		"rp2 48h0m0s 24h0m0s 1 false\n" +
		"rp5 4800h0m0s 168h0m0s 1 false\n" +
		"rp11 0s 168h0m0s 1 false\n" +
		"r p 24h0m0s 1h0m0s 1 false\n"
	if got := show(s, "d"); got != want {
		t.Errorf("policies:\n%swant:\n%s", got, want)
	}
	step("drop the default", s.DropPolicy(ctx, "d", "rp1"), "")
	_, _, err := s.Policy(ctx, "d", "")
	step("the default", err, "retention policy not found: rp1")
	if !errors.Is(err, model.ErrNotFound) {
		t.Errorf("the default: %v is not of kind ErrNotFound", err)
	}
	_, _, err = s.Policy(ctx, "nosuch", "")
	step("the default of no database", err, "database not found: nosuch")
}

func TestShardDurationFollowsThePolicysDuration(t *testing.T) {
	s := metatest.OpenStore(t, metatest.NewMemory(), "n")
	for i, c := range []struct{ duration, want time.Duration }{
		{0, 7 * day},
		{time.Hour, time.Hour},
		{2*day - 1, time.Hour},
		{2 * day, day},
		{180*day - 1, day},
		{180 * day, 7 * day},
	} {
		name := fmt.Sprintf("db%d", i)
		if err := s.CreateDatabase(t.Context(), name, &meta.PolicySpec{Duration: &c.duration}); err != nil {
			t.Fatal(err)
		}
		if got := s.Snapshot().Database(name).Policy("").ShardDuration; got != c.want {
			t.Errorf("shard duration for %s: %s, want %s", c.duration, got, c.want)
		}
	}
}
