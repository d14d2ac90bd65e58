package ctl

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var rewrite = flag.Bool("rewrite", false, "write the outputs under testdata anew")

// fakeNode answers the routes from a table: "METHOD /path" to an answer. Of
// several answers each is given once, the last one for ever.
type fakeNode struct {
	t       *testing.T
	answers map[string][]any
	asked   []string // all but GET, with their bodies
	signed  []string // Authorization of each
	host    string
}

func newFakeNode(t *testing.T) *fakeNode {
	t.Helper()
	n := &fakeNode{t: t, answers: map[string][]any{}}
	s := httptest.NewServer(http.HandlerFunc(n.serve))
	t.Cleanup(s.Close)
	n.host = s.URL
	return n
}

func (n *fakeNode) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, adminapi.Prefix)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		n.t.Error(err)
	}
	n.signed = append(n.signed, r.Header.Get("Authorization"))
	if r.Method != http.MethodGet {
		n.asked = append(n.asked, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, path, body)))
	}
	key := r.Method + " " + path
	list := n.answers[key]
	if len(list) == 0 {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(adminapi.Error{Error: "there is no " + key})
		return
	}
	if len(list) > 1 {
		n.answers[key] = list[1:]
	}
	if e, ok := list[0].(adminapi.Error); ok {
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(e)
		return
	}
	if err := json.NewEncoder(w).Encode(list[0]); err != nil {
		n.t.Error(err)
	}
}

// run runs a command; its output ends with the exit code.
func (n *fakeNode) run(args ...string) (out string, code int) {
	var stdout, stderr bytes.Buffer
	s := &session{client: &client{host: n.host}, out: &stdout, errs: &stderr, every: time.Millisecond}
	code = s.main(context.Background(), args)
	return strings.ReplaceAll(stdout.String()+stderr.String(), n.host, "HOST"), code
}

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func threeNodes() []adminapi.Node {
	roles := []string{"meta", "data", "coordinator"}
	return []adminapi.Node{
		{ID: 1, Name: "a", Roles: roles, Version: "1.0.0", HTTP: "a:8086", RPC: "a:8088", MetaPeer: "a:2380", Alive: true, Shards: 2, Bytes: 5 << 30, FreeBytes: 100 << 30, Self: true},
		{ID: 4, Name: "b", Roles: roles, Version: "1.0.0", HTTP: "b:8086", RPC: "b:8088", MetaPeer: "b:2380", Alive: true, Shards: 1, Bytes: 123, FreeBytes: 1 << 30, Labels: map[string]string{"zone": "x", "rack": "7"}, Draining: true},
		{ID: 7, Name: "c", Roles: roles[2:], Version: "1.0.1", HTTP: "c:8086", RPC: "c:8088", AbsentSince: &noon, Error: "node 7 does not answer"},
	}
}

func twoShards() []adminapi.Shard {
	day := 24 * time.Hour
	return []adminapi.Shard{
		{
			ID: 21, Group: 20, Database: "telegraf", Policy: "autogen", Start: noon, End: noon.Add(7 * day), Wanted: 2,
			Owners: []adminapi.Owner{
				{Node: 1, Name: "a", State: "active", Alive: true, Known: true, InSync: true, Bytes: 2 << 20},
				{Node: 4, Name: "b", State: "active", Alive: true, Known: true, Behind: 12, Age: 3 * time.Second, Bytes: 1 << 20, Doing: "pulling"},
			},
		},
		{
			ID: 22, Group: 20, Database: "telegraf", Policy: "week", Start: noon, End: noon.Add(day), Expires: noon.Add(8 * day), Wanted: 1,
			Owners: []adminapi.Owner{
				{Node: 1, Name: "a", State: "active", Alive: true, Known: true, InSync: true, Bytes: 4 << 20},
				{Node: 7, Name: "c", State: "joining"},
			},
			Move: &adminapi.Move{Shard: 22, Database: "telegraf", Policy: "week", From: "a", To: "c", Why: "by hand", Started: noon, Total: 4 << 20, Current: 1 << 20, Doing: "copying"},
		},
	}
}

// TestOutputs compares what commands print, and their exit codes, with the files
// under testdata.
func TestOutputs(t *testing.T) {
	shards := twoShards()
	ill := adminapi.Status{
		Cluster: "3f2a", MetaAvailable: true, Nodes: threeNodes(), Groups: 1, Shards: 2, Replicas: 4,
		Weak: shards[:1], Moves: []adminapi.Move{*shards[1].Move}, Rebalance: &adminapi.Rebalance{Started: noon, Round: 2, Done: 1, Moves: make([]adminapi.PlannedMove, 3)},
		Problems: []string{"node c is away", "1 replicas are behind"},
	}
	for i := range 12 {
		ill.Behind = append(ill.Behind, adminapi.Behind{Shard: uint64(21 + i), Node: "b", Batches: 12, Age: 3 * time.Second, Doing: "pulling"})
	}
	well := adminapi.Status{Cluster: "3f2a", MetaAvailable: true, Nodes: threeNodes()[:1]}
	equal := adminapi.Verified{Shard: 21, Database: "telegraf", Policy: "autogen", State: adminapi.Equal}
	unequal := adminapi.Verified{Shard: 22, Database: "telegraf", Policy: "week", State: adminapi.Unequal, Replicas: []adminapi.Replica{{Node: "a", Rows: 5, Hash: "00ff"}, {Node: "b", Rows: 4, Hash: "00fe"}}}
	silent := adminapi.Verified{Shard: 22, Database: "telegraf", Policy: "week", State: adminapi.Unreachable, Replicas: []adminapi.Replica{{Node: "a", Rows: 5, Hash: "00ff"}, {Node: "c", Error: "node 7 does not answer"}}}
	plan := adminapi.Rebalance{Moves: []adminapi.PlannedMove{{Shard: 21, From: "a", To: "c", Bytes: 2 << 20}, {Shard: 22, From: "a", To: "b", Bytes: 4 << 20}}}
	answers := map[string]any{
		"GET /nodes": threeNodes(), "GET /shards": shards, "GET /status": ill, "GET /rebalance": plan, "POST /rebalance": plan, "DELETE /rebalance": struct{}{},
		"GET /shards/21/verify": equal, "GET /shards/22/verify": unequal,
		"POST /nodes/b/drain": struct{}{}, "POST /nodes/b/remove": struct{}{}, "POST /nodes/b/label": struct{}{},
		"POST /nodes/b/replace": adminapi.Replaced{Moving: 1, Failed: []string{"shard 22: node 7 is an owner already, joining"}},
		"POST /tokens":          adminapi.AccessToken{ID: 12, Name: "ingest", Expires: &noon, Token: "varve_12_abc"},
		"GET /tokens": adminapi.AccessTokens{Tokens: []adminapi.AccessToken{
			{ID: 12, Name: "ingest", Read: []string{"telegraf"}, Write: []string{"telegraf", "other"}, Created: noon, Expires: &noon},
			{ID: 13, Name: "prometheus", Monitor: true, Created: noon, Expires: &noon, Expired: true},
			{ID: 14, Name: "ops", Admin: true, Created: noon},
			{ID: 15, Name: "of a dropped database", Created: noon},
		}},
		"DELETE /tokens/12":      struct{}{},
		"POST /join-token":       adminapi.Token{Token: "varve1.abc", Expires: noon},
		"POST /truncate-shards":  adminapi.Truncated{At: noon, Groups: []uint64{20}},
		"POST /shards/22/cancel": struct{}{}, "POST /compact": adminapi.Compacting{Shards: 2},
		"GET /limits": adminapi.Limits{Databases: []adminapi.DatabaseLimits{
			{Name: "telegraf", SeriesLimits: adminapi.SeriesLimits{MaxSeries: 5000, MaxValuesPerTag: 100000}, OwnSeries: true, Quota: adminapi.Quota{WritePoints: 50000, Queries: 4, QueryBytes: 64 << 20}}, {Name: "test"},
		}, Users: []adminapi.UserLimits{{Name: "grafana", Quota: adminapi.Quota{Queries: 2}}}},
		"POST /databases/telegraf/limits": struct{}{}, "POST /users/grafana/limits": struct{}{},
		"GET /queries": adminapi.Queries{Lacking: []string{"c"}, Queries: []adminapi.Query{
			{Host: "a", ID: 3, Text: "SHOW QUERIES", Age: 20 * time.Millisecond},
			{Host: "b", ID: 9, Text: "SELECT mean(v)\n FROM m " + strings.Repeat("-", 200), Database: "db", User: "bob", Age: 90 * time.Second, Memory: 3 << 20, Series: 12, Points: 4e6, Rows: 5, Busy: time.Minute},
		}},
		"GET /cardinality": adminapi.Cardinality{
			Databases: []adminapi.DatabaseCardinality{{Database: "db", Series: 120000, Measurements: 4, Shards: 6, Bytes: 5 << 30, Growth: adminapi.Growth{PerHour: 5000, Over: time.Hour}}},
			Measurements: []adminapi.MeasurementCardinality{
				{Database: "db", Measurement: "requests", Series: 100000, Growth: adminapi.Growth{PerHour: 5000, Over: 10 * time.Minute}},
				{Database: "db", Measurement: "cpu", Series: 20000},
			},
			Tags: []adminapi.TagCardinality{{Database: "db", Measurement: "requests", Tag: "session", Values: 99000}},
		},
		"GET /continuous": adminapi.Continuous{Runner: "a", Queries: []adminapi.ContinuousQuery{
			{Database: "telegraf", Name: "hourly", Until: noon, LastRun: noon, Points: 1200},
			{Database: "telegraf", Name: "daily", Until: noon, LastRun: noon, Lag: 90 * time.Minute, Points: 3, Error: "retention policy not found: year"},
			{Database: "test", Name: "new"},
		}},
		"POST /shards/21/compact": adminapi.Compacted{Nodes: []string{"a", "b"}},
		"POST /shards/22/compact": adminapi.Compacted{Nodes: []string{"a"}, Failed: []string{"c: node 7 does not answer"}},
	}
	for _, c := range []struct {
		file string
		args string
		with map[string]any
	}{
		{file: "show", args: "show"},
		{file: "show_json", args: "--json show"},
		{file: "show-shards", args: "show-shards"},
		{file: "show-shards_v", args: "show-shards -v"},
		{file: "show-shards_m", args: "show-shards -m"},
		{file: "status_ill", args: "status"},
		{file: "status_well", args: "status", with: map[string]any{"GET /status": well}},
		{file: "status_json", args: "status --json", with: map[string]any{"GET /status": well}},
		{file: "verify_unequal", args: "verify"},
		{file: "verify_equal", args: "verify 21"},
		{file: "verify_unproven", args: "verify --timeout 1s", with: map[string]any{"GET /shards/22/verify": silent}},
		{file: "verify_json", args: "verify 22 --json"},
		{file: "node_list", args: "node list"},
		{file: "node_drain", args: "node drain b"},
		{file: "node_drain_cancel", args: "node drain b --cancel"},
		{file: "node_remove", args: "node remove --force b"},
		{file: "node_replace", args: "node replace b c"},
		{file: "node_label", args: "node label b zone=x rack="},
		{file: "join-token", args: "join-token --life 2h"},
		{file: "rebalance_plan", args: "rebalance --plan"},
		{file: "rebalance_apply", args: "rebalance --apply"},
		{file: "rebalance_nothing", args: "rebalance --plan", with: map[string]any{"GET /rebalance": adminapi.Rebalance{}}},
		{file: "rebalance_under_way", args: "rebalance --plan", with: map[string]any{"GET /rebalance": adminapi.Rebalance{Started: noon, Round: 1, Done: 1, Moves: plan.Moves}}},
		{file: "rebalance_cancel", args: "rebalance --cancel"},
		{file: "rebalance_both", args: "rebalance --apply --cancel"},
		{file: "copy-shard-status", args: "copy-shard-status"},
		{file: "kill-copy-shard", args: "kill-copy-shard a c 22"},
		{file: "truncate-shards", args: "truncate-shards -delay 2m"},
		{file: "compact", args: "compact"},
		{file: "compact_wait", args: "compact --wait"},
		{file: "limit", args: "limit"},
		{file: "limit_change", args: "limit telegraf --max-series 5000 --max-values-per-tag default"},
		{file: "limit_quota", args: "limit telegraf --write-points 50000 --queries none --query-memory 64m"},
		{file: "limit_user", args: "limit --user grafana --queries 2"},
		{file: "limit_both", args: "limit telegraf --user grafana --queries 2"},
		{file: "limit_nothing", args: "limit telegraf"},
		{file: "continuous", args: "continuous"},
		{file: "token_create", args: "token create --read telegraf --write telegraf --write other --life 720h ingest"},
		{file: "token_create_nothing", args: "token create ingest"},
		{file: "token_list", args: "token list"},
		{file: "token_revoke", args: "token revoke 12"},
		{file: "top", args: "top --sort points"},
		{file: "cardinality", args: "cardinality db --top 2"},
		{file: "limit_nonsense", args: "limit telegraf --max-series 0"},
		{file: "refused", args: "show", with: map[string]any{"GET /nodes": adminapi.Error{Error: "metadata store unavailable"}}},
		{file: "help", args: "--help"},
		{file: "help_verify", args: "verify --help"},
		{file: "usage_unknown", args: "add-meta"},
		{file: "usage_missing", args: "move-shard a b"},
		{file: "usage_flag", args: "status --colour"},
		{file: "usage_shard", args: "remove-shard a x"},
	} {
		t.Run(c.file, func(t *testing.T) {
			n := newFakeNode(t)
			for key, v := range answers {
				n.answers[key] = []any{v}
			}
			for key, v := range c.with {
				n.answers[key] = []any{v}
			}
			out, code := n.run(strings.Fields(c.args)...)
			out = fmt.Sprintf("$ varve ctl %s\n%s", c.args, out)
			for _, line := range n.asked {
				out += "asked: " + line + "\n"
			}
			out += fmt.Sprintf("exit code %d\n", code)
			file := filepath.Join("testdata", c.file+".txt")
			if *rewrite {
				if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if out != string(want) {
				t.Errorf("got\n%s\nwant\n%s", out, want)
			}
		})
	}
}

func TestCopyWaitsUntilTheOwnerIsActive(t *testing.T) {
	n := newFakeNode(t)
	begun, done := twoShards(), twoShards()
	done[1].Owners[1].State, done[1].Move = "active", nil
	n.answers["POST /shards/22/copy"] = []any{struct{}{}}
	n.answers["GET /nodes"] = []any{threeNodes()}
	n.answers["GET /shards"] = []any{begun, begun, done}
	if out, code := n.run("copy-shard", "a:8088", "c", "22"); code != 0 || out != "Copied shard 22 from a:8088 to c\n" {
		t.Errorf("code %d, %q", code, out)
	}
	if len(n.asked) != 1 || n.asked[0] != `POST /shards/22/copy {"from":"a:8088","to":"c"}` {
		t.Errorf("it asked for %q", n.asked)
	}
	given := twoShards()
	given[1].Owners = given[1].Owners[:1]
	n.answers["GET /shards"] = []any{begun, given}
	if out, code := n.run("copy-shard", "a", "c", "22"); code != 1 || !strings.Contains(out, "given up") {
		t.Errorf("a copy that was given up: code %d, %q", code, out)
	}
}

func TestMoveAndRemoveWaitUntilTheOwnerHasGone(t *testing.T) {
	n := newFakeNode(t)
	begun, moved := twoShards(), twoShards()
	moved[1].Owners, moved[1].Move = moved[1].Owners[1:], nil
	moved[1].Owners[0].State = "active"
	n.answers["POST /shards/22/move"] = []any{struct{}{}}
	n.answers["POST /shards/22/remove"] = []any{struct{}{}}
	n.answers["GET /nodes"] = []any{threeNodes()}
	n.answers["GET /shards"] = []any{begun, moved}
	if out, code := n.run("move-shard", "1", "c", "22"); code != 0 || out != "Moved shard 22 from 1 to c\n" {
		t.Errorf("move: code %d, %q", code, out)
	}
	n.answers["GET /shards"] = []any{begun, moved}
	if out, code := n.run("remove-shard", "a", "22"); code != 0 || out != "Removed shard 22 from a\n" {
		t.Errorf("remove: code %d, %q", code, out)
	}
}

func TestDrainAndRebalanceWait(t *testing.T) {
	n := newFakeNode(t)
	drained := threeNodes()
	drained[1].Shards = 0
	n.answers["POST /nodes/b/drain"] = []any{struct{}{}}
	n.answers["GET /nodes"] = []any{threeNodes(), drained}
	if out, code := n.run("node", "drain", "--wait", "b"); code != 0 || out != "Drained node b\n" {
		t.Errorf("drain: code %d, %q", code, out)
	}
	r := adminapi.Rebalance{Started: noon, Moves: []adminapi.PlannedMove{{Shard: 1, From: "a", To: "b"}}}
	n.answers["POST /rebalance"] = []any{r}
	n.answers["GET /status"] = []any{adminapi.Status{Rebalance: &r}, adminapi.Status{}}
	if out, code := n.run("rebalance", "--apply", "--wait"); code != 0 || !strings.HasSuffix(out, "Rebalanced\n") {
		t.Errorf("rebalance: code %d, %q", code, out)
	}
}

func TestTheFirstWordOfCommandsListsThem(t *testing.T) {
	n := newFakeNode(t)
	for _, args := range [][]string{{"node"}, {"node", "--help"}, {"node", "help"}} {
		if out, code := n.run(args...); code != 0 || !strings.Contains(out, "node drain") {
			t.Errorf("%q gave %d: %s", args, code, out)
		}
	}
	if out, code := n.run("node", "dran", "n1"); code != exitUsage || !strings.Contains(out, `"node dran"`) {
		t.Errorf("a wrong second word gave %d: %s", code, out)
	}
}

func TestBarsFitOnALine(t *testing.T) {
	var out bytes.Buffer
	b := &bar{w: &out}
	b.show(1, 4, "a long text")
	b.show(8, 4, "short")
	b.end()
	lines := strings.Split(out.String(), "\r")
	if lines[1] != "[#######.......................]  25% a long text" || lines[2] != "[##############################] 100% short      " || strings.TrimSpace(lines[3]) != "" {
		t.Errorf("got %q", lines)
	}
	var none *bar
	none.show(1, 2, "")
	none.end()
}

func TestHosts(t *testing.T) {
	for host, want := range map[string]string{"db:8086": "http://db:8086", "https://db:8086/": "https://db:8086"} {
		if c := (&client{host: host}); c.check() != nil || c.host != want {
			t.Errorf("%s became %s", host, c.host)
		}
	}
	for _, host := range []string{"ftp://db", "http://", "http://a b"} {
		if err := (&client{host: host}).check(); err == nil {
			t.Errorf("%s was taken", host)
		}
	}
	for size_, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 1 << 50: "1.0 PiB"} {
		if got := size(size_); got != want {
			t.Errorf("size(%d) is %s, want %s", size_, got, want)
		}
	}
}

func TestCompactionLeavesOutShardsThatWereDroppedMeanwhile(t *testing.T) {
	n := newFakeNode(t)
	n.answers["GET /shards"] = []any{[]adminapi.Shard{{ID: 21}, {ID: 22}}}
	n.answers["POST /shards/21/compact"] = []any{adminapi.Compacted{Nodes: []string{"a"}}}
	var out, errs bytes.Buffer
	if code := Run(t.Context(), []string{"--host", n.host, "compact", "--wait"}, "test", &out, &errs); code != 0 || out.String() != "Compacted 1 shards\n" {
		t.Errorf("compact: exit %d, %q, %q", code, out.String(), errs.String())
	}
	if code := Run(t.Context(), []string{"--host", n.host, "compact", "--wait", "22"}, "test", &out, &errs); code != exitFailed {
		t.Errorf("compact of a shard that is not there: exit %d, want %d", code, exitFailed)
	}
}

func TestRequestsCarryWhoSendsThem(t *testing.T) {
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for _, c := range []struct {
		environment [3]string // user, password, token
		args, want  string
	}{
		{[3]string{}, "", ""},
		{[3]string{"u", "p", ""}, "", basic("u", "p")},
		{[3]string{"u", "p", "t"}, "", "Token t"},
		{[3]string{"u", "p", "t"}, "--username v", basic("v", "p")},
		{[3]string{"u", "p", ""}, "--token s", "Token s"},
		{[3]string{}, "--username v --password q", basic("v", "q")},
	} {
		for i, name := range []string{"INFLUX_USERNAME", "INFLUX_PASSWORD", "INFLUX_TOKEN"} {
			t.Setenv(name, c.environment[i])
		}
		n := newFakeNode(t)
		n.answers["GET /tokens"] = []any{adminapi.AccessTokens{}}
		for _, args := range [][]string{
			append(strings.Fields(c.args), "token", "list"),
			append([]string{"token", "list"}, strings.Fields(c.args)...),
		} {
			if out, code := n.run(args...); code != 0 || n.signed[len(n.signed)-1] != c.want {
				t.Errorf("%q with %q: sent %q, want %q\n%s", args, c.environment, n.signed, c.want, out)
			}
		}
	}
}

func TestHelpShowsNoSecret(t *testing.T) {
	for _, name := range []string{"INFLUX_USERNAME", "INFLUX_PASSWORD", "INFLUX_TOKEN"} {
		t.Setenv(name, "canary")
	}
	n := newFakeNode(t)
	for _, args := range [][]string{{"--help"}, {"status", "--help"}, {"--password", "canary", "--token", "canary", "status", "--help"}, {"status", "--nonsense"}} {
		if out, _ := n.run(args...); strings.Contains(out, "canary") {
			t.Errorf("%q prints a secret:\n%s", args, out)
		}
	}
}
