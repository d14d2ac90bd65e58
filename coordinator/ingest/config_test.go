package ingest

import (
	"errors"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
)

func TestDefaultConfigOpensNothing(t *testing.T) {
	cfg := DefaultConfig()
	b := newBench(t, cfg, new(fakeWriter))
	if n := len(b.listeners); n > 0 {
		t.Errorf("%d listeners are open", n)
	}
}

func TestOnlyListenersThatAreEnabledAreChecked(t *testing.T) {
	cfg := Config{UDP: []UDP{{Precision: "x"}}}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsLeftOutHasItsDefault(t *testing.T) {
	cfg := Config{
		UDP: []UDP{{Enabled: true}}, Graphite: []Graphite{{Enabled: true}},
		OpenTSDB: []OpenTSDB{{Enabled: true}}, Collectd: []Collectd{{Enabled: true}},
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if u := cfg.UDP[0].complete(); u.BindAddress != ":8089" || u.BatchSize != 5000 {
		t.Errorf("completed to %+v", u)
	}
}

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	udp := func(change func(*UDP)) Config { return udpConfig(change) }
	graphite := func(templates ...string) Config { return graphiteConfig(func(g *Graphite) { g.Templates = templates }) }
	collectd := func(change func(*Collectd)) Config {
		c := DefaultCollectd()
		c.Enabled = true
		change(&c)
		return Config{Collectd: []Collectd{{}, c}}
	}
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{udp(func(u *UDP) { u.Precision = "x" }), `[[udp]] 0: invalid precision "x"`},
		{udp(func(u *UDP) { u.BindAddress = "8089" }), "bind-address"},
		{udp(func(u *UDP) { u.BatchSize = -1 }), "batch-size"},
		{udp(func(u *UDP) { u.BatchPending = 1 << 20 }), "batch-pending"},
		{udp(func(u *UDP) { u.ConsistencyLevel = "most" }), "consistency-level"},
		{graphite("host.cpu"), "no measurement"},
		{graphite("measurement*.field*"), "only one of"},
		{graphite("a..b measurement"), "filter"},
		{graphite("a.b* measurement"), "filter"},
		{graphite("a measurement k=v x"), "template"},
		{graphite("a measurement k="), "tag"},
		{graphite("a measurement", "a measurement*"), "another for the filter"},
		{graphiteConfig(func(g *Graphite) { g.Tags = []string{"x"} }), "tag"},
		{graphiteConfig(func(g *Graphite) { g.Protocol = "sctp" }), "protocol"},
		{collectd(func(c *Collectd) { c.SecurityLevel = "some" }), "[[collectd]] 1: security-level"},
		{collectd(func(c *Collectd) { c.ParseMultiValuePlugin = "both" }), "parse-multivalue-plugin"},
	} {
		if err := c.cfg.Validate(); !errors.Is(err, model.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q in it", err, c.want)
		}
	}
}
