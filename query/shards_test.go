package query

import (
	"testing"
	"time"
)

func TestShardsAreShownWithTheirTimesAndOwners(t *testing.T) {
	b := newBench(t, DefaultConfig())
	at := func(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }
	b.catalog.groups = []ShardGroup{
		{ID: 4, Policy: "autogen", Start: at(1), End: at(8), Expiry: at(8), Shards: []ShardOwners{{5, []uint64{1, 3}}, {6, nil}}},
		{ID: 7, Policy: "short", Start: at(1), End: at(2), Expiry: at(3), Shards: []ShardOwners{{8, []uint64{2}}}},
	}
	for _, c := range []struct{ text, want string }{
		{`SHOW SHARDS`, "#0 db(id,database,retention_policy,shard_group,start_time,end_time,expiry_time,owners)" +
			" 5 db autogen 4 2026-01-01T00:00:00Z 2026-01-08T00:00:00Z 2026-01-08T00:00:00Z 1,3" +
			" 6 db autogen 4 2026-01-01T00:00:00Z 2026-01-08T00:00:00Z 2026-01-08T00:00:00Z " +
			" 8 db short 7 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z 2026-01-03T00:00:00Z 2\n"},
		{`SHOW SHARD GROUPS`, "#0 shard groups(id,database,retention_policy,start_time,end_time,expiry_time)" +
			" 4 db autogen 2026-01-01T00:00:00Z 2026-01-08T00:00:00Z 2026-01-08T00:00:00Z" +
			" 7 db short 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z 2026-01-03T00:00:00Z\n"},
		{`DROP SHARD 5`, "#0\n"},
	} {
		if got := b.run(t, Request{Text: c.text}); got != c.want {
			t.Errorf("%s\n got %s want %s", c.text, got, c.want)
		}
	}
	if got := b.catalog.calls; len(got) != 1 || got[0] != "drop shard 5" {
		t.Errorf("did %q", got)
	}
}

// Clients of InfluxDB 1.8 know the columns by number.
func TestWriteLimitsAreShownOnlyWhereThereAreAny(t *testing.T) {
	b := newBench(t, DefaultConfig())
	b.catalog.dbs[0].Policies[1].PastLimit = 2 * time.Hour
	want := "#0 (name,duration,shardGroupDuration,replicaN,futureWriteLimit,pastWriteLimit,default)" +
		" autogen 0s 168h0m0s 1 0s 0s true short 24h0m0s 1h0m0s 2 0s 2h0m0s false\n"
	if got := b.run(t, Request{Text: "SHOW RETENTION POLICIES", Database: "db"}); got != want {
		t.Errorf("got %s want %s", got, want)
	}
}
