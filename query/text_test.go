package query

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxql"
)

func TestPrepareQuotesKeywordsThatAreNewerThanInfluxDB18(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`SELECT v FROM m`, `SELECT v FROM m`},
		{`SELECT * FROM future`, `SELECT * FROM "future"`},
		{`SELECT * FROM future LIMIT 5`, `SELECT * FROM "future" LIMIT 5`},
		{`SELECT past, FUTURE::field FROM db.rp.Past WHERE past = 'future'`, `SELECT "past", "FUTURE"::field FROM db.rp."Past" WHERE "past" = 'future'`},
		{`SELECT "future" FROM /future/ -- past`, `SELECT "future" FROM /future/ -- past`},
		{`SELECT v FROM m WHERE h =~ /past/ AND past = 1`, `SELECT v FROM m WHERE h =~ /past/ AND "past" = 1`},
		{`SELECT a / past / b FROM m`, `SELECT a / "past" / b FROM m`},
		{`SELECT $past FROM m`, `SELECT $past FROM m`},
		{`SELECT v FROM m /* past */`, `SELECT v FROM m /* past */`},
		{`CREATE DATABASE past WITH DURATION 1d FUTURE LIMIT 1h PAST LIMIT 2h NAME future`, `CREATE DATABASE "past" WITH DURATION 1d FUTURE LIMIT 1h PAST LIMIT 2h NAME "future"`},
		{`ALTER RETENTION POLICY future ON x FUTURE LIMIT 1h`, `ALTER RETENTION POLICY "future" ON x FUTURE LIMIT 1h`},
		{`SHOW DATABASES; SELECT v FROM past`, `SHOW DATABASES; SELECT v FROM "past"`},
		{`CREATE CONTINUOUS QUERY q ON d BEGIN SELECT v INTO x FROM future LIMIT 1 END`, `CREATE CONTINUOUS QUERY q ON d BEGIN SELECT v INTO x FROM "future" LIMIT 1 END`},
	} {
		got, _, err := prepare(c.in, true)
		if err != nil || got != c.want {
			t.Errorf("prepare(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

func TestPrepareRewritesTheSyntaxBeyondInfluxDB(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`SELECT mean(v) FROM m GROUP BY time(1mo)`, `SELECT mean(v) FROM m GROUP BY time('1mo')`},
		{`SELECT mean(v) FROM m GROUP BY host, TIME(2q , 12h) ORDER BY time DESC`, `SELECT mean(v) FROM m GROUP BY host, TIME('2q' , 12h) ORDER BY time DESC`},
		{`SELECT mean(v) FROM m GROUP BY time(1m)`, `SELECT mean(v) FROM m GROUP BY time(1m)`},
		{`SELECT time(1mo) FROM m`, `SELECT time(1mo) FROM m`},
		{`SELECT x FROM (SELECT max(v) AS x FROM m GROUP BY time(1y)) GROUP BY h`, `SELECT x FROM (SELECT max(v) AS x FROM m GROUP BY time('1y')) GROUP BY h`},
		{`SELECT max(v) FROM m GROUP BY time(1h) fill(previous, 7d)`, `SELECT max(v) FROM m GROUP BY time(1h, 0s, 'previous 7d') fill(previous)`},
		{`SELECT max(v) FROM m GROUP BY time(1h, 5m), h FILL( previous , 1w2d ) LIMIT 1`, `SELECT max(v) FROM m GROUP BY time(1h, 5m, 'previous 1w2d'), h FILL( previous) LIMIT 1`},
		{`SELECT max(v) FROM m GROUP BY time(1mo) fill(previous, 90d)`, `SELECT max(v) FROM m GROUP BY time('1mo', 0s, 'previous 90d') fill(previous)`},
		{`SELECT max(v) FROM m GROUP BY h fill(previous, 7d)`, `SELECT max(v) FROM m GROUP BY h fill(previous, 7d)`},
		{`SELECT max(v) FROM m GROUP BY time(1h) fill(previous, 0s)`, `SELECT max(v) FROM m GROUP BY time(1h) fill(previous, 0s)`},
		{`SELECT max(v) FROM m GROUP BY time(1h) fill(linear, 7d)`, `SELECT max(v) FROM m GROUP BY time(1h) fill(linear, 7d)`},
		{`CREATE CONTINUOUS QUERY q ON d BEGIN SELECT max(v) INTO x FROM m GROUP BY h, time(1mo, 5d) END`, `CREATE CONTINUOUS QUERY q ON d BEGIN SELECT max(v) INTO x FROM m GROUP BY h, time(31d, 'for the parser'), time('1mo', 5d) END`},
		{`CREATE CONTINUOUS QUERY q ON d BEGIN SELECT max(v) INTO x FROM (SELECT v FROM m GROUP BY time(1y)) GROUP BY time(1h) fill(previous, 7d) END`, `CREATE CONTINUOUS QUERY q ON d BEGIN SELECT max(v) INTO x FROM (SELECT v FROM m GROUP BY time('1y')) GROUP BY time(1h, 'for the parser'), time(1h, 0s, 'previous 7d') fill(previous) END`},
		{`CREATE CONTINUOUS QUERY q ON d BEGIN SELECT max(v) INTO x FROM m GROUP BY time(1y, 1h) fill(previous, 7d) END`, `CREATE CONTINUOUS QUERY q ON d BEGIN SELECT max(v) INTO x FROM m GROUP BY time(366d, 'for the parser'), time('1y', 1h, 'previous 7d') fill(previous) END`},
		{`SELECT max(v) FROM m GROUP BY time(1h); SELECT max(v) FROM m fill(previous, 7d)`, `SELECT max(v) FROM m GROUP BY time(1h); SELECT max(v) FROM m fill(previous, 7d)`},
	} {
		got, _, err := prepare(c.in, true)
		if err != nil || got != c.want {
			t.Errorf("prepare(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

// The parser reads 64 bits and keeps those of an int.
func TestPrepareLowersLimitsThatAnIntCannotHold(t *testing.T) {
	highest := strconv.Itoa(math.MaxInt)
	for _, clause := range []string{"LIMIT", "offset", "SLIMIT", "SOFFSET"} {
		text, _, err := prepare("SELECT v FROM m "+clause+" 9223372036854775807; SELECT v FROM m LIMIT 7", false)
		if want := "SELECT v FROM m " + clause + " " + highest + "; SELECT v FROM m LIMIT 7"; err != nil || text != want {
			t.Errorf("prepared as %q, %v, want %q", text, err, want)
		}
	}
}

func TestParseErrorsSpeakOfTheTextThatTheClientWrote(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`SELECT future FROM`, `error parsing query: found EOF, expected identifier at line 1, char 20`},
		{"SELECT past, future\nFROM past past", `error parsing query: found past, expected ; at line 2, char 11`},
		{`ALTER RETENTION POLICY p ON d`, `error parsing query: found EOF, expected DURATION, REPLICATION, SHARD, DEFAULT at line 1, char 31`},
		{`SELECT max(v) FROM m GROUP BY time(1mo) fill(previous, 7d) LIMIT x`, `error parsing query: found x, expected integer at line 1, char 66`},
		{"SELECT max(v) FROM m GROUP BY time(1mo) fill(previous,\n 7d) LIMIT x", `error parsing query: found x, expected integer at line 2, char 12`},
		{`SELEC`, `error parsing query: found SELEC, expected SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL at line 1, char 1`},
	} {
		r := Request{Text: c.in}
		if _, err := r.parse(); err == nil || err.Error() != c.want {
			t.Errorf("parse(%q) = %v, want %s", c.in, err, c.want)
		}
	}
}

func TestPrepareRefusesWhatWouldOverflowTheParser(t *testing.T) {
	for name, text := range map[string]string{
		"parentheses":          "SELECT " + strings.Repeat("(", 129) + "v",
		"many parentheses":     "SELECT " + strings.Repeat("(", 1_000_000),
		"signs":                "SELECT " + strings.Repeat("-", 129) + "v",
		"signs apart":          "SELECT " + strings.Repeat("- ", 129) + "v",
		"many signs":           "SELECT " + strings.Repeat("- ", 500_000),
		"terms":                "SELECT v FROM m WHERE a = 1" + strings.Repeat(" OR a = 1", 20_000),
		"bytes":                strings.Repeat(" ", 1<<20+1),
		"statements":           strings.Repeat("SHOW DATABASES;", 102),
		"a regular expression": "SELECT v FROM /" + strings.Repeat("x", 64<<10) + "/",
		"hidden by a division": "SELECT by / " + strings.Repeat("(", 20_000),
		"hidden by quotes":     "SELECT '" + strings.Repeat("(", 20_000),
		"subqueries":           strings.Repeat("SELECT v FROM (", 9) + "SELECT v FROM m" + strings.Repeat(")", 9),
		"repeats":              "SELECT v FROM /" + strings.Repeat(".{1000}", 3000) + "/",
		"repeats of repeats":   "SELECT v FROM /" + strings.Repeat("(.{100}){10}", 300) + "/",
		"tables":               "SELECT v FROM /" + strings.Repeat(`\pL`, 20_000) + "/",
		"both cases":           "SELECT v FROM /(?i)" + strings.Repeat(`[b-\x{1E942}]`, 4000) + "/",
		"both cases, literal":  "SELECT v FROM /(?i)" + strings.Repeat("[b-\U0001E942]", 4000) + "/",
		"several expressions":  "SELECT " + strings.Repeat("/.{1000}.{1000}.{1000}.{1000}/,", 60) + " v FROM m",
	} {
		if name == "signs" { // two in a row begin a comment
			continue
		}
		if _, _, err := prepare(text, true); err == nil || !strings.HasPrefix(err.Error(), "query too complex: ") {
			t.Errorf("%s: prepare = %v, want an error", name, err)
		}
	}
	for name, text := range map[string]string{
		"parentheses in a string": "SELECT v FROM m WHERE s = '" + strings.Repeat("(", 1000) + "'",
		"parentheses in a regex":  "SELECT v FROM m WHERE s =~ /" + strings.Repeat("(", 1000) + "/",
		"128 parentheses":         "SELECT " + strings.Repeat("(", 128) + "v" + strings.Repeat(")", 128) + " FROM m",
		"100 statements":          strings.Repeat("SHOW DATABASES;", 100),
		"8 subqueries":            strings.Repeat("SELECT v FROM (", 8) + "SELECT v FROM m" + strings.Repeat(")", 8),
		"subqueries side by side": "SELECT v FROM " + strings.Repeat("(SELECT v FROM m), ", 20) + "m",
		"a long list of names":    "SELECT v FROM m WHERE h =~ /^(" + strings.Repeat("host-1|", 9000) + "x)$/",
		"names without case":      "SELECT v FROM m WHERE h =~ /(?i)^(" + strings.Repeat("сервер-я|", 3000) + "x)$/",
		"an address":              "SELECT v FROM m WHERE h =~ /^(?:[0-9]{1,3}\\.){3}[0-9]{1,3}$/",
	} {
		if _, _, err := prepare(text, true); err != nil {
			t.Errorf("%s: prepare = %v, want none", name, err)
		}
	}
}

func TestParametersAreBoundedAsTheTextIs(t *testing.T) {
	r := Request{Text: "SELECT v FROM m WHERE h =~ $h", Params: map[string]any{"h": map[string]any{"regex": strings.Repeat(".{1000}", 3000)}}}
	if _, err := r.parse(); err == nil || !strings.HasPrefix(err.Error(), "query too complex: ") {
		t.Errorf("parse = %v, want an error", err)
	}
	r.Params = map[string]any{"h": map[string]any{"regex": "a{1000}"}}
	if _, err := r.parse(); err != nil {
		t.Errorf("parse = %v, want none", err)
	}
}

// What is let through is compiled soon, whatever it is made of.
func TestRegexesThatAreLetThroughAreCompiledSoon(t *testing.T) {
	for _, part := range []string{`.{1000}`, `\pL`, `[\pL\pN]`, `[b-\x{1E942}]`, `[^b-\x{1E942}]`, `\pL{3}`, `(a|b){99}`, `((a?){9}){9}`, `[[:alpha:]b-\x{1E942}]`} {
		n := 3000
		for regexWork("(?i)"+strings.Repeat(part, n), maxRegexWork) > maxRegexWork {
			n = n * 3 / 4
		}
		start := time.Now()
		if _, err := regexp.Compile("(?i)" + strings.Repeat(part, n)); err != nil {
			t.Errorf("%d times %s: %v", n, part, err)
		}
		if took := time.Since(start); took > 5*time.Second { // with the race detector, on a busy machine
			t.Errorf("%d times %s took %v", n, part, took)
		}
	}
}

func FuzzPrepare(f *testing.F) {
	for _, s := range []string{
		"SELECT future FROM past LIMIT 1", "ALTER RETENTION POLICY p ON d PAST LIMIT 1h", "SELECT '\\'future' FROM /a\\/b/ WHERE a / 2 / 3 = 1",
		"SELECT mean(v) FROM m GROUP BY time(1mo), h fill(previous,\n7d)", "SELECT \"a\\\"past\", $past, $\"past\" FROM m -- past\n WHERE /* future */ x =~ /past/", "'\nfuture", "\"\\", "/", "-", "\xff future",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, edits, err := prepare(text, true)
		if err != nil {
			return
		}
		longer := 0
		for _, e := range edits {
			longer += len(e.with) - (e.to - e.from)
		}
		if len(got) != len(text)+longer || strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Fatalf("prepare(%q) = %q with %+v", text, got, edits)
		}
		if len(edits) == 0 && got != text {
			t.Fatalf("prepare(%q) = %q", text, got)
		}
		// What 1.8's parser takes must still be taken, and the parser must live.
		_, _ = influxql.ParseQuery(got)
	})
}
