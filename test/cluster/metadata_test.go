package cluster

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What is told to one node is known to all, and to them after a restart.
func TestUsersAndQueriesAreKeptByTheCluster(t *testing.T) {
	c := newCluster(t, 3, 2)
	for i, q := range []string{
		`CREATE USER "ann" WITH PASSWORD 'secret'`,
		`GRANT ALL ON db TO ann`,
		`REVOKE WRITE ON db FROM ann`,
		`CREATE CONTINUOUS QUERY q ON db BEGIN SELECT mean(v) INTO o FROM m GROUP BY time(1h) END`,
		`CREATE SUBSCRIPTION s ON db.autogen DESTINATIONS ALL 'udp://10.255.255.1:9'`,
		`ALTER RETENTION POLICY autogen ON db FUTURE LIMIT 1h`,
	} {
		mustQuery(t, c.Nodes[i%3], q)
	}
	shows := `SHOW USERS; SHOW GRANTS FOR ann; SHOW CONTINUOUS QUERIES; SHOW SUBSCRIPTIONS; SHOW RETENTION POLICIES`
	want := [][]any{
		{"ann", false},
		{"db", "READ"},
		{"q", "CREATE CONTINUOUS QUERY q ON db BEGIN SELECT mean(v) INTO db.autogen.o FROM db.autogen.m GROUP BY time(1h) END"},
		{"autogen", "s", "ALL", []any{"udp://10.255.255.1:9"}},
		{"autogen", "0s", "168h0m0s", 2.0, "1h0m0s", "0s", true},
	}
	known := func() error {
		for _, n := range c.Nodes {
			if rows, err := n.Query("db", shows); err != nil || !reflect.DeepEqual(rows, want) {
				return fmt.Errorf("%s knows %v (%v), want %v", n.Name, rows, err, want)
			}
		}
		return nil
	}
	eventually(t, 10*time.Second, known)
	for _, n := range c.Nodes {
		n.Kill()
	}
	for _, n := range c.Nodes {
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 30*time.Second, known)
	ahead := fmt.Sprintf("m v=1 %d", time.Now().Add(2*time.Hour).UnixNano())
	for _, n := range c.Nodes {
		if err := n.Write("db", ahead); err == nil || !strings.Contains(err.Error(), "Write Window Upper Bound") {
			t.Errorf("%s: a point beyond the limit: %v", n.Name, err)
		}
	}
}

// One of several shards of a group goes, with its replicas; the others answer,
// and what is written to its place is there.
func TestDropShardRemovesItsReplicas(t *testing.T) {
	c := newCluster(t, 3, 2)
	const hosts = 60
	var lines strings.Builder
	for i := range hosts {
		fmt.Fprintf(&lines, "m,host=h%d v=1 %d\n", i, time.Now().UnixNano())
	}
	if err := c.Nodes[0].Write("db", lines.String()); err != nil {
		t.Fatal(err)
	}
	shards := mustQuery(t, c.Nodes[0], "SHOW SHARDS")
	if len(shards) != 3 {
		t.Fatalf("%d shards of three nodes: %v", len(shards), shards)
	}
	dropped := shards[1][0].(float64)
	mustQuery(t, c.Nodes[1], fmt.Sprintf("DROP SHARD %v", dropped))
	var left float64
	eventually(t, 15*time.Second, func() error {
		left = 0
		for i, n := range c.Nodes {
			rows, err := n.Query("db", "SELECT count(v) FROM m")
			if err != nil || len(rows) != 1 {
				return fmt.Errorf("%s: %v, %v", n.Name, rows, err)
			}
			count := rows[0][1].(float64)
			if count == 0 || count >= hosts || i > 0 && count != left {
				return fmt.Errorf("%s counts %v, the node before it %v", n.Name, count, left)
			}
			left = count
		}
		return nil
	})
	eventually(t, 30*time.Second, func() error {
		all, err := listShards(c.Nodes[2])
		for _, sh := range all {
			if float64(sh.ID) == dropped {
				err = fmt.Errorf("shard %v is still there", dropped)
			}
		}
		return err
	})
	if err := c.Nodes[2].Write("db", lines.String()); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, func() error {
		for _, n := range c.Nodes {
			if rows, err := n.Query("db", "SELECT count(v) FROM m"); err != nil || len(rows) != 1 || rows[0][1] != float64(hosts) {
				return fmt.Errorf("%s counts %v (%w) after the rows were written again, want %d", n.Name, rows, err, hosts)
			}
		}
		return nil
	})
	verified(t, c.Nodes[0], 30*time.Second)
}
