package query

import (
	"strings"
	"testing"
)

func TestContinuousQueriesAreStoredInFull(t *testing.T) {
	const head = "create continuous query cq on "
	for _, c := range []struct {
		req  Request
		want string // what the catalog is asked, or the result
	}{
		{
			Request{Text: `CREATE CONTINUOUS QUERY cq ON db BEGIN SELECT mean(v) INTO out FROM m GROUP BY time(1h) END`},
			head + `db: CREATE CONTINUOUS QUERY cq ON db BEGIN SELECT mean(v) INTO db.autogen.out FROM db.autogen.m GROUP BY time(1h) END`,
		},
		{
			Request{Text: `create continuous query cq on db resample every 30m for 2h begin select mean(v) into short.:measurement from /a/, short.b, (select v from c) where h = 'x' group by time(1h), * fill(0) end`},
			head + `db: CREATE CONTINUOUS QUERY cq ON db RESAMPLE EVERY 30m FOR 2h BEGIN SELECT mean(v) INTO db.short.:MEASUREMENT FROM db.autogen./a/, db.short.b, (SELECT v FROM db.autogen.c) WHERE h = 'x' GROUP BY time(1h), * fill(0) END`,
		},
		{ // as in InfluxDB the request's database and policy come before the statement's
			Request{Text: `CREATE CONTINUOUS QUERY cq ON other BEGIN SELECT v INTO x FROM m END`, Database: "db", Policy: "short"},
			head + `other: CREATE CONTINUOUS QUERY cq ON other BEGIN SELECT v INTO db.short.x FROM db.short.m END`,
		},
		{Request{Text: `CREATE CONTINUOUS QUERY cq ON x BEGIN SELECT v INTO x FROM m END`}, "#0 error: database not found: x\n"},
		{Request{Text: `CREATE CONTINUOUS QUERY cq ON db BEGIN SELECT v INTO x..y FROM m END`}, "#0 error: database not found: x\n"},
		{Request{Text: `CREATE CONTINUOUS QUERY cq ON db BEGIN SELECT v INTO nope.y FROM m END`}, "#0 error: retention policy not found: db.nope\n"},
		{Request{Text: `CREATE CONTINUOUS QUERY cq ON db RESAMPLE FOR 30s BEGIN SELECT mean(v) INTO x FROM m GROUP BY time(1m) END`}, "error parsing query: FOR duration must be >= GROUP BY time duration: must be a minimum of 1m, got 30s\n"},
		{ // what InfluxDB refuses is kept as it was written
			Request{Text: `CREATE CONTINUOUS QUERY cq ON db BEGIN SELECT sum(x) INTO out FROM (SELECT max(v) AS x FROM m GROUP BY time(1mo, 1d), h) GROUP BY time(1q), h fill(previous, 7d) tz('Asia/Tokyo') END`},
			head + `db: CREATE CONTINUOUS QUERY cq ON db BEGIN SELECT sum(x) INTO db.autogen.out FROM (SELECT max(v) AS x FROM db.autogen.m GROUP BY time(1mo, 1d), h) GROUP BY time(1q), h fill(previous, 7d) TZ('Asia/Tokyo') END`,
		},
		{
			Request{Text: `CREATE CONTINUOUS QUERY cq ON db BEGIN SELECT last(v) INTO out FROM m GROUP BY time(1h, 5m) fill(previous, 1w1d) END`},
			head + `db: CREATE CONTINUOUS QUERY cq ON db BEGIN SELECT last(v) INTO db.autogen.out FROM db.autogen.m GROUP BY time(1h, 5m) fill(previous, 1w1d) END`,
		},
		{Request{Text: `CREATE CONTINUOUS QUERY cq ON db RESAMPLE FOR 30d BEGIN SELECT mean(v) INTO x FROM m GROUP BY time(1mo) END`}, "error parsing query: FOR duration must be >= GROUP BY time duration: must be a minimum of 31d, got 30d\n"},
		{Request{Text: `DROP CONTINUOUS QUERY cq ON db`}, "drop continuous query cq on db"},
	} {
		b := newBench(t, DefaultConfig())
		got := b.run(t, c.req)
		if got == "#0\n" {
			got = strings.Join(b.catalog.calls, "; ")
		}
		if got != c.want {
			t.Errorf("%s\n got  %s\n want %s", c.req.Text, got, c.want)
		}
	}
}

func TestContinuousQueriesAreShownByDatabase(t *testing.T) {
	b := newBench(t, DefaultConfig())
	b.catalog.dbs = append(b.catalog.dbs, &Database{Name: "empty"})
	b.catalog.continuous = map[string][]ContinuousQuery{"db": {{"z", "Z"}, {"a", "A"}}}
	want := "#0 db(name,query) z Z a A empty(name,query)\n"
	if got := b.run(t, Request{Text: "SHOW CONTINUOUS QUERIES"}); got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestSubscriptionsAreShownByDatabase(t *testing.T) {
	b := newBench(t, DefaultConfig())
	b.catalog.dbs = append(b.catalog.dbs, &Database{Name: "empty"})
	b.catalog.subscriptions = map[string][]Subscription{"db": {
		{"autogen", "s", "ALL", []string{"udp://a:1", "http://b:2"}},
		{"short", "s", "ANY", []string{"udp://c:3"}},
	}}
	for _, c := range []struct{ text, want string }{
		{`SHOW SUBSCRIPTIONS`, "#0 db(retention_policy,name,mode,destinations) autogen s ALL [udp://a:1 http://b:2] short s ANY [udp://c:3]\n"},
		{`CREATE SUBSCRIPTION t ON db.short DESTINATIONS ANY 'udp://a:1', 'http://b:2'`, "#0\n"},
		{`DROP SUBSCRIPTION t ON db.short`, "#0\n"},
	} {
		if got := b.run(t, Request{Text: c.text}); got != c.want {
			t.Errorf("%s\n got %s want %s", c.text, got, c.want)
		}
	}
	want := "create subscription t on db.short: ANY [udp://a:1 http://b:2]; drop subscription t on db.short"
	if did := strings.Join(b.catalog.calls, "; "); did != want {
		t.Errorf("did  %s\nwant %s", did, want)
	}
}
