package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/test/harness"
)

// continuousAt gives how the continuous queries fare, as a node sees it.
func continuousAt(t *testing.T, p *harness.Process) (c adminapi.Continuous) {
	t.Helper()
	r, err := http.Get(p.URL + adminapi.Prefix + "/continuous")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode == http.StatusOK {
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestContinuousQueriesGoOnWhenTheirRunnerIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until a lease has ended")
	}
	all := map[string]*harness.Process{"n1": member(t, t.TempDir(), "n1")}
	join := nodes(t, all["n1"])["n1"].RPC
	for _, name := range []string{"n2", "n3"} {
		all[name] = member(t, t.TempDir(), name, "--join", join)
	}
	ask(t, all["n1"], "", "CREATE DATABASE garden WITH REPLICATION 3")

	// Ten points in each second from now on are there before their time comes.
	start := time.Now().Truncate(time.Second)
	var lines strings.Builder
	const seconds = 120
	for i := range 10 * seconds {
		fmt.Fprintf(&lines, "soil moisture=%d %d\n", i, start.Add(time.Duration(i)*100*time.Millisecond).UnixNano())
	}
	post(t, all["n1"], "garden", lines.String())
	ask(t, all["n1"], "garden", "CREATE CONTINUOUS QUERY each ON garden BEGIN SELECT sum(moisture) INTO sums FROM soil GROUP BY time(1s) END")

	// until waits for a run after a time by a node other than one. It gives the
	// node, and up to when it has computed all.
	until := func(p *harness.Process, after time.Time, other string) (string, time.Time) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			c := continuousAt(t, p)
			if len(c.Queries) == 1 && c.Runner != "" && c.Runner != other && c.Queries[0].Until.After(after) {
				return c.Runner, c.Queries[0].Until
			}
		}
		t.Fatalf("nobody runs the query: %+v", continuousAt(t, p))
		return "", time.Time{}
	}
	runner, from := until(all["n1"], start.Add(2*time.Second), "")
	killed := time.Now()
	all[runner].Kill()
	delete(all, runner)
	var p *harness.Process
	for _, p = range all {
		break
	}
	next, _ := until(p, killed.Add(3*time.Second), runner)
	t.Logf("%s was killed, %s went on after %v", runner, next, time.Since(killed))

	// What the query wrote is what the same query gives when it is run at once.
	done := continuousAt(t, p).Queries[0]
	over := fmt.Sprintf("time >= %d AND time < %d", from.UnixNano(), done.Until.UnixNano())
	sums := func(q string) string {
		_, values, _ := strings.Cut(ask(t, p, "garden", q), `"values":`)
		return values
	}
	var got, want string
	for range 100 {
		got = sums("SELECT sum FROM sums WHERE " + over)
		if want = sums("SELECT sum(moisture) FROM soil WHERE " + over + " GROUP BY time(1s)"); got == want && want != "" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if got != want || want == "" {
		t.Errorf("the query wrote %s, want %s", got, want)
	}
	if done.Error != "" {
		t.Errorf("its last run failed: %s", done.Error)
	}
}
