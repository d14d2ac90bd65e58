package exec_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
)

// shard is a part of the rows, and the times that it is for.
type shard struct {
	times model.TimeRange
	src   exec.Source
}

// now is what now() means in these tests.
var now = time.Unix(0, 500)

// maxInt is the highest LIMIT; package query lowers those above it.
var maxInt = strconv.Itoa(math.MaxInt)

// run runs a SELECT over shards and gives the result as text.
func run(t testing.TB, q string, shards ...shard) string {
	t.Helper()
	got, err := tryRun(t, context.Background(), q, plan.Options{Now: now}, shards...)
	if err != nil {
		return "error: " + err.Error()
	}
	return got
}

func tryRun(t testing.TB, ctx context.Context, q string, opt plan.Options, shards ...shard) (string, error) {
	t.Helper()
	stmt, err := influxql.ParseStatement(q)
	if err != nil {
		t.Fatalf("parse %s: %v", q, err)
	}
	sel, err := plan.Compile(stmt.(*influxql.SelectStatement), opt)
	if err != nil {
		return "", err
	}
	bound, err := sel.Bind(schemas(shards))
	if err != nil {
		return "", err
	}
	open := func(f *plan.Fragment) (streams []exec.Stream, err error) {
		for _, s := range shards {
			streams = append(streams, exec.Pipe(s.times, func(ctx context.Context, emit func(*exec.Partial) error) error {
				if many, ok := s.src.(crowded); ok {
					return many.workers.RunFragment(ctx, s.src, f, emit)
				}
				return exec.RunFragment(ctx, s.src, f, emit)
			}))
		}
		return streams, nil
	}
	var out strings.Builder
	more := false
	err = exec.Finish(ctx, bound, open, func(r *exec.Rows) error {
		if !more {
			printHead(&out, r)
		}
		printRows(&out, r)
		more = r.More
		return nil
	})
	return out.String(), err
}

// crowded is a source that several workers read.
type crowded struct {
	exec.Source
	workers *exec.Workers
}

func schemas(shards []shard) []plan.Schema {
	byName := map[string]*plan.Schema{}
	var names []string
	for _, s := range shards {
		for _, m := range s.src.Measurements() {
			if byName[m] == nil {
				names = append(names, m)
				byName[m] = &plan.Schema{Database: "db", Policy: "rp", Name: m}
			}
			sc := byName[m]
			for _, f := range s.src.Fields(m) {
				if !slices.Contains(sc.Fields, f) {
					sc.Fields = append(sc.Fields, f)
				}
			}
			for _, k := range s.src.TagKeys(m) {
				if !slices.Contains(sc.TagKeys, k) {
					sc.TagKeys = append(sc.TagKeys, k)
				}
			}
		}
	}
	var out []plan.Schema
	for _, n := range names {
		out = append(out, *byName[n])
	}
	return out
}

func printHead(out *strings.Builder, r *exec.Rows) {
	out.WriteString(r.Name)
	if r.HasTags {
		for _, tag := range r.Tags {
			fmt.Fprintf(out, ",%s=%s", tag.Key, tag.Value)
		}
	}
	fmt.Fprintf(out, " %s:", strings.Join(r.Columns, " "))
}

func printRows(out *strings.Builder, r *exec.Rows) {
	for i, at := range r.Times {
		fmt.Fprintf(out, " [%d", at)
		for j := range r.Values {
			switch v := r.Values[j].Value(i).(type) {
			case nil:
				out.WriteString(" null")
			case float64:
				out.WriteString(" " + strconv.FormatFloat(v, 'g', 10, 64))
			default:
				fmt.Fprintf(out, " %v", v)
			}
		}
		out.WriteString("]")
	}
	if !r.More {
		out.WriteString("\n")
	}
}

// point makes a row of "m,k=v f=1.5,g=2i,s="x",b=true 10".
func point(t testing.TB, line string) exectest.Row {
	t.Helper()
	parts := strings.Split(line, " ")
	if len(parts) != 3 {
		t.Fatalf("point %q", line)
	}
	name, tags, _ := model.ParseSeriesKey([]byte(parts[0]))
	row := exectest.Row{Measurement: name, Tags: tags, Fields: map[string]any{}}
	for _, f := range strings.Split(parts[1], ",") {
		k, v, _ := strings.Cut(f, "=")
		switch {
		case strings.HasPrefix(v, `"`):
			row.Fields[k] = strings.Trim(v, `"`)
		case v == "true" || v == "false":
			row.Fields[k] = v == "true"
		case strings.HasSuffix(v, "i"):
			n, err := strconv.ParseInt(strings.TrimSuffix(v, "i"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			row.Fields[k] = n
		case strings.HasSuffix(v, "u"):
			n, err := strconv.ParseUint(strings.TrimSuffix(v, "u"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			row.Fields[k] = n
		default:
			x, err := strconv.ParseFloat(v, 64)
			if err != nil {
				t.Fatal(err)
			}
			row.Fields[k] = x
		}
	}
	at, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	row.Time = at
	return row
}

func oneShard(t testing.TB, opt exectest.Options, lines ...string) shard {
	t.Helper()
	var rows []exectest.Row
	for _, l := range lines {
		rows = append(rows, point(t, l))
	}
	return shard{model.AllTime, exectest.New(opt, rows...)}
}

var cpu = []string{
	"cpu,h=a,r=x f=1,i=10i,s=\"p\",b=true 10",
	"cpu,h=a,r=x f=2,i=20i 20",
	"cpu,h=a,r=x f=4,s=\"q\",b=false 35",
	"cpu,h=b f=8,i=-5i 10",
	"cpu,h=b f=16 30",
	"cpu,h=b i=7i 31",
	"mem,h=a f=100 10",
	"mem,h=c f=200,u=5u 12",
}

func TestSelect(t *testing.T) {
	sh := oneShard(t, exectest.Options{GranuleRows: 2}, cpu...)
	for _, c := range []struct{ q, want string }{
		// raw rows
		{"SELECT f FROM cpu", "cpu time f: [10 1] [10 8] [20 2] [30 16] [35 4]\n"},
		{"SELECT f, h FROM cpu ORDER BY time DESC", "cpu time f h: [35 4 a] [30 16 b] [20 2 a] [10 8 b] [10 1 a]\n"},
		{"SELECT * FROM cpu LIMIT 2 OFFSET 1", "cpu time b f h i r s: [10 null 8 b -5 null null] [20 null 2 a 20 x null]\n"},
		{"SELECT f FROM cpu GROUP BY h LIMIT 1", "cpu,h=a time f: [10 1]\ncpu,h=b time f: [10 8]\n"},
		{"SELECT f FROM cpu GROUP BY h ORDER BY time DESC LIMIT 1", "cpu,h=b time f: [30 16]\ncpu,h=a time f: [35 4]\n"},
		{"SELECT f FROM cpu, mem GROUP BY h SLIMIT 1 SOFFSET 1", "cpu,h=b time f: [10 8] [30 16]\nmem,h=c time f: [12 200]\n"},
		{"SELECT f FROM cpu, mem GROUP BY h SLIMIT " + maxInt + " SOFFSET 1", "cpu,h=b time f: [10 8] [30 16]\nmem,h=c time f: [12 200]\n"},
		{"SELECT f FROM cpu WHERE h = 'b' LIMIT " + maxInt + " OFFSET 1", "cpu time f: [30 16]\n"},
		{"SELECT f FROM cpu GROUP BY r, nosuch", "cpu,nosuch=,r= time f: [10 8] [30 16]\ncpu,nosuch=,r=x time f: [10 1] [20 2] [35 4]\n"},
		{"SELECT f + i, i / 4, -f FROM cpu WHERE h = 'b'", "cpu time f_i i f: [10 3 -1.25 -8] [30 null null -16] [31 null 1.75 null]\n"},
		{"SELECT f::integer, i::float, s::float FROM cpu WHERE h = 'a' LIMIT 1", "cpu time f i s: [10 1 10 null]\n"},
		{"SELECT h, r FROM cpu", ""},
		{"SELECT nosuch FROM cpu", ""},
		{"SELECT f FROM nosuch", ""},
		{"SELECT s FROM cpu fill(previous)", "cpu time s: [10 p] [35 q]\n"},
		{"SELECT f % 0 FROM cpu LIMIT 1", "cpu time f: [10 null]\n"},
		{"SELECT i / 0, i % 0, f / 0 FROM cpu LIMIT 1", "cpu time i i_1 f: [10 0 0 0]\n"},
		{"SELECT pow(f, 2), abs(i), sqrt(i) FROM cpu WHERE h = 'b' LIMIT 1", "cpu time pow abs sqrt: [10 64 5 null]\n"},
		// conditions
		{"SELECT f FROM cpu WHERE f > 1 AND f < 16 OR h = 'b' AND f = 16", "cpu time f: [10 8] [20 2] [30 16] [35 4]\n"},
		{"SELECT f FROM cpu WHERE i != 10", "cpu time f: [10 8] [20 2]\n"},
		{"SELECT f FROM cpu WHERE b != true", "cpu time f: [10 8] [20 2] [30 16] [35 4]\n"},
		{"SELECT f FROM cpu WHERE s = 'p' OR r !~ /x/", "cpu time f: [10 1] [10 8] [30 16]\n"},
		{"SELECT f FROM cpu WHERE h > 'a'", ""},
		{"SELECT f FROM cpu WHERE f > 'a'", ""},
		{"SELECT f FROM cpu WHERE r = ''", "cpu time f: [10 8] [30 16]\n"},
		{"SELECT f FROM cpu WHERE time >= 20 AND time < 35", "cpu time f: [20 2] [30 16]\n"},
		{"SELECT u FROM mem WHERE u > -1 AND u < 6.5", "mem time u: [12 5]\n"},
		// aggregates
		{"SELECT count(f), sum(i), mean(f), spread(f) FROM cpu", "cpu time count sum mean spread: [0 5 32 6.2 15]\n"},
		{"SELECT count(*) FROM cpu", "cpu time count_b count_f count_i count_s: [0 2 5 4 2]\n"},
		{"SELECT mean(f) FROM cpu WHERE time >= 15", "cpu time mean: [15 7.333333333]\n"},
		{"SELECT max(f) FROM cpu", "cpu time max: [30 16]\n"},
		{"SELECT max(f), h, i FROM cpu", "cpu time max h i: [30 16 b null]\n"},
		{"SELECT min(i), h FROM cpu GROUP BY r", "cpu,r= time min h: [10 -5 b]\ncpu,r=x time min h: [10 10 a]\n"},
		{"SELECT first(f), last(f) FROM cpu", "cpu time first last: [0 8 4]\n"},
		{"SELECT first(f) FROM cpu", "cpu time first: [10 8]\n"},
		{"SELECT first(s), last(b) FROM cpu GROUP BY h", "cpu,h=a time first last: [0 p false]\n"},
		{"SELECT sum(f) / count(f) + 1, max(f) - min(f) FROM cpu", "cpu time sum_count max_min: [0 7.2 15]\n"},
		{"SELECT count(nosuch), sum(f) FROM mem", "mem time count sum: [0 null 300]\n"},
		{"SELECT count(f) FROM cpu, cpu", "cpu time count: [0 10]\n"},
		{"SELECT sum(u) + 1 FROM mem", "mem time sum: [0 6]\n"},
		{"SELECT count(h) FROM cpu", ""},
		{"SELECT median(f), stddev(i), mode(i), count(distinct(b)) FROM cpu", "cpu time median stddev mode count: [0 4 10.29563014 -5 2]\n"},
		{"SELECT median(i), stddev(i) FROM cpu GROUP BY h", "cpu,h=a time median stddev: [0 15 7.071067812]\ncpu,h=b time median stddev: [0 1 8.485281374]\n"},
		{"SELECT stddev(f) FROM cpu WHERE f = 8", "cpu time stddev: [0 null]\n"},
		{"SELECT percentile(f, 50) FROM cpu", "cpu time percentile: [35 4]\n"},
		{"SELECT percentile(f, 0), percentile(f, 100) FROM cpu", "cpu time percentile percentile_1: [0 null 16]\n"},
		{"SELECT percentile(f, 0) FROM cpu", ""},
		{"SELECT distinct(b) FROM cpu", "cpu time distinct: [0 true] [0 false]\n"},
		{"SELECT distinct(s) FROM cpu WHERE time >= 5 AND time < 45 GROUP BY time(20ns)", "cpu time distinct: [0 p] [20 q]\n"},
		{
			"SELECT stddev(f), count(distinct(f)) FROM cpu WHERE time >= 0 AND time < 40 GROUP BY time(10ns) fill(5)",
			"cpu time stddev count: [0 5 5] [10 4.949747468 2] [20 null 1] [30 8.485281374 2]\n",
		},
		// windows
		{
			"SELECT sum(f) FROM cpu WHERE time >= 5 AND time < 45 GROUP BY time(10ns)",
			"cpu time sum: [0 null] [10 9] [20 2] [30 20] [40 null]\n",
		},
		{
			"SELECT count(f), max(i) FROM cpu WHERE time >= 5 AND time < 45 GROUP BY time(10ns, 5ns), h fill(none)",
			"cpu,h=a time count max: [5 1 10] [15 1 20] [35 1 null]\ncpu,h=b time count max: [5 1 -5] [25 1 7]\n",
		},
		{
			"SELECT count(f), last(i) FROM cpu WHERE time >= 5 AND time < 45 AND h = 'a' GROUP BY time(10ns) fill(previous)",
			"cpu time count last: [0 null null] [10 1 10] [20 1 20] [30 1 20] [40 1 20]\n",
		},
		{
			"SELECT count(f), sum(i) FROM cpu WHERE time >= 10 AND time < 50 AND h = 'a' GROUP BY time(5ns) fill(linear)",
			"cpu time count sum: [10 1 10] [15 1 15] [20 1 20] [25 1 null] [30 1 null] [35 1 null] [40 null null] [45 null null]\n",
		},
		{
			"SELECT count(f), mean(i) FROM cpu WHERE time >= 30 AND time < 50 GROUP BY time(10ns) fill(7.9)",
			"cpu time count mean: [30 2 7] [40 7 7.9]\n",
		},
		{
			"SELECT max(f), h FROM cpu WHERE time >= 10 AND time < 50 GROUP BY time(20ns) ORDER BY time DESC LIMIT 2",
			"cpu time max h: [40 null null] [20 16 b]\n",
		},
		{"SELECT sum(f) FROM cpu WHERE time < 30 GROUP BY time(10ns) ORDER BY time DESC", "cpu time sum: [20 2] [10 9]\n"},
		{"SELECT sum(f) FROM cpu WHERE time >= 10 AND time < 40 GROUP BY time(1ns) LIMIT 1 OFFSET 20", "cpu time sum: [30 16]\n"},
	} {
		if got := run(t, c.q, sh); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.q, got, c.want)
		}
	}
}

func TestWindowsFollowTheClockOfTheZone(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixNano()
	}
	var lines []string
	for _, s := range []string{"2023-10-28T12:00:00Z", "2023-10-28T22:30:00Z", "2023-10-29T22:30:00Z", "2023-10-29T23:30:00Z"} {
		lines = append(lines, fmt.Sprintf("m f=1 %d", at(s)))
	}
	sh := oneShard(t, exectest.Options{}, lines...)
	got := run(t, "SELECT count(f) FROM m WHERE time >= '2023-10-28' AND time < '2023-10-31' GROUP BY time(1d) tz('Europe/Berlin')", sh)
	want := fmt.Sprintf("m time count: [%d 1] [%d 2] [%d 1]\n", at("2023-10-27T22:00:00Z"), at("2023-10-28T22:00:00Z"), at("2023-10-29T23:00:00Z"))
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFieldOfSeveralTypesIsReadAsTheHighest(t *testing.T) {
	a := oneShard(t, exectest.Options{}, "m v=1i 1")
	b := oneShard(t, exectest.Options{}, "m v=2.5 2")
	c := oneShard(t, exectest.Options{}, `m v="x" 3`)
	for _, x := range []struct{ q, want string }{
		{"SELECT v FROM m", "m time v: [1 1] [2 2.5]\n"},
		{"SELECT v::integer FROM m", "m time v: [1 1] [2 2]\n"},
		{"SELECT v::string FROM m", "m time v: [3 x]\n"},
		{"SELECT sum(v), count(v) FROM m", "m time sum count: [0 3.5 2]\n"},
	} {
		if got := run(t, x.q, a, b, c); got != x.want {
			t.Errorf("%s: got %q, want %q", x.q, got, x.want)
		}
	}
}

func TestTimesAtTheEndsOfTimeAreRead(t *testing.T) {
	sh := oneShard(t, exectest.Options{}, fmt.Sprintf("m v=1 %d", int64(model.MinTime)), fmt.Sprintf("m v=2 %d", int64(model.MaxTime)), "m v=3 0")
	for _, x := range []struct{ q, want string }{
		{"SELECT v FROM m", fmt.Sprintf("m time v: [%d 1] [0 3] [%d 2]\n", int64(model.MinTime), int64(model.MaxTime))},
		{"SELECT count(v) FROM m WHERE time < 9223372036854775807 GROUP BY time(1h) fill(none)", "m time count: [0 1] [0 1] [9223369200000000000 1]\n"},
		{"SELECT count(v) FROM m WHERE time <= 9223372036854775806 GROUP BY time(52w) fill(none)", fmt.Sprintf("m time count: [0 1] [0 1] [%d 1]\n", int64(math.MaxInt64)/(364*86400e9)*(364*86400e9))},
	} {
		if got := run(t, x.q, sh); got != x.want {
			t.Errorf("%s: got %q, want %q", x.q, got, x.want)
		}
	}
}

func TestShardsOfOneGroupMergeRowsOfEqualTimeByTheirTexts(t *testing.T) {
	one := oneShard(t, exectest.Options{}, "m,h=a z=1 0", "m,h=c z=3 0", "m,h=a z=4 1", "m,h=c z=6 1")
	two := oneShard(t, exectest.Options{}, "m,h=b z=2 0", "m,h=b z=5 1", "m,h=d z=7 1")
	whole := oneShard(t, exectest.Options{}, "m,h=a z=1 0", "m,h=c z=3 0", "m,h=b z=2 0", "m,h=a z=4 1", "m,h=c z=6 1", "m,h=b z=5 1", "m,h=d z=7 1")
	for _, q := range []string{
		"SELECT h, z FROM m", "SELECT h, z FROM m ORDER BY time DESC", "SELECT h, z FROM m LIMIT 2", "SELECT h, z FROM m LIMIT 3 OFFSET 2",
	} {
		want := run(t, q, whole)
		for _, shards := range [][]shard{{one, two}, {two, one}} {
			if got := run(t, q, shards...); got != want {
				t.Errorf("%s:\n%swant:\n%s", q, got, want)
			}
		}
	}
}

func TestBestPointsOfOneTimeInTwoShardsComeBestFirst(t *testing.T) {
	a := oneShard(t, exectest.Options{}, "m,h=a f=2.5 45")
	b := oneShard(t, exectest.Options{}, "m,h=b f=8 45")
	const want = "m time top h: [45 8 b] [45 2.5 a]\n"
	if got := run(t, "SELECT top(f, h, 9) FROM m", a, b); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
