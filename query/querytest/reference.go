package querytest

import (
	"fmt"
	"strings"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// A statement of the reference: how it is written and an example, which the
// tests run. The examples belong together, in this order.
type statement struct{ syntax, example string }

var statements = []struct {
	title string
	rows  []statement
}{
	{"Data", []statement{
		{"SELECT … FROM … [WHERE] [GROUP BY] [fill()] [ORDER BY time] [LIMIT] [OFFSET] [SLIMIT] [SOFFSET] [tz()]", "SELECT mean(v) FROM m WHERE time >= 0 AND time < 1h GROUP BY time(1m), host fill(none) ORDER BY time DESC LIMIT 5 SLIMIT 2 TZ('Europe/Berlin')"},
		{"SELECT … FROM (SELECT …)", "SELECT max(x) FROM (SELECT mean(v) AS x FROM m GROUP BY host), m"},
		{"SELECT … INTO [db.][rp.]{measurement \\| :MEASUREMENT} FROM …", "SELECT v INTO copy FROM m"},
		{"EXPLAIN [ANALYZE] SELECT …", "EXPLAIN SELECT mean(v) FROM m"},
		{"DELETE [FROM …] [WHERE …]", "DELETE FROM copy WHERE time < 0"},
		{"DROP SERIES [FROM …] [WHERE …]", "DROP SERIES FROM copy WHERE host = 'none'"},
		{"DROP MEASUREMENT m", "DROP MEASUREMENT copy"},
	}},
	{"What is stored", []statement{
		{"SHOW DATABASES", "SHOW DATABASES"},
		{"SHOW RETENTION POLICIES [ON db]", "SHOW RETENTION POLICIES"},
		{"SHOW MEASUREMENTS [ON …] [WITH MEASUREMENT …] [WHERE …] [LIMIT] [OFFSET]", "SHOW MEASUREMENTS WITH MEASUREMENT =~ /m/"},
		{"SHOW SERIES [ON db] [FROM …] [WHERE …] [LIMIT] [OFFSET]", "SHOW SERIES FROM m"},
		{"SHOW TAG KEYS [ON db] [FROM …] [WITH KEY …] [WHERE …]", "SHOW TAG KEYS FROM m"},
		{"SHOW TAG VALUES [ON db] [FROM …] WITH KEY … [WHERE …]", "SHOW TAG VALUES WITH KEY = host"},
		{"SHOW FIELD KEYS [ON db] [FROM …]", "SHOW FIELD KEYS"},
		{"SHOW SERIES [EXACT] CARDINALITY", "SHOW SERIES EXACT CARDINALITY"},
		{"SHOW MEASUREMENT [EXACT] CARDINALITY", "SHOW MEASUREMENT CARDINALITY"},
		{"SHOW TAG KEY [EXACT] CARDINALITY", "SHOW TAG KEY CARDINALITY"},
		{"SHOW TAG VALUES [EXACT] CARDINALITY WITH KEY …", "SHOW TAG VALUES CARDINALITY WITH KEY = host"},
		{"SHOW FIELD KEY [EXACT] CARDINALITY", "SHOW FIELD KEY CARDINALITY"},
		{"SHOW SHARDS", "SHOW SHARDS"},
		{"SHOW SHARD GROUPS", "SHOW SHARD GROUPS"},
		{"DROP SHARD n", "DROP SHARD 1"},
	}},
	{"Databases and policies", []statement{
		{"CREATE DATABASE db [WITH …]", "CREATE DATABASE other WITH DURATION 7d"},
		{"CREATE RETENTION POLICY rp ON db DURATION d REPLICATION n [SHARD DURATION d] [DEFAULT]", "CREATE RETENTION POLICY p ON other DURATION 1d REPLICATION 1"},
		{"ALTER RETENTION POLICY rp ON db …", "ALTER RETENTION POLICY p ON other DURATION 2d"},
		{"DROP RETENTION POLICY rp ON db", "DROP RETENTION POLICY p ON other"},
		{"DROP DATABASE db", "DROP DATABASE other"},
	}},
	{"Continuous queries and subscriptions", []statement{
		{"CREATE CONTINUOUS QUERY q ON db [RESAMPLE …] BEGIN SELECT … INTO … GROUP BY time() END", "CREATE CONTINUOUS QUERY q ON d RESAMPLE EVERY 1h FOR 2h BEGIN SELECT mean(v) INTO hourly FROM m GROUP BY time(1h) END"},
		{"SHOW CONTINUOUS QUERIES", "SHOW CONTINUOUS QUERIES"},
		{"DROP CONTINUOUS QUERY q ON db", "DROP CONTINUOUS QUERY q ON d"},
		{"CREATE SUBSCRIPTION s ON db.rp DESTINATIONS {ALL \\| ANY} 'url' [, …]", "CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ALL 'http://example.com:9090'"},
		{"SHOW SUBSCRIPTIONS", "SHOW SUBSCRIPTIONS"},
		{"DROP SUBSCRIPTION s ON db.rp", "DROP SUBSCRIPTION s ON d.autogen"},
	}},
	{"Users", []statement{
		{"CREATE USER u WITH PASSWORD 'p' [WITH ALL PRIVILEGES]", "CREATE USER u WITH PASSWORD 'secret'"},
		{"SET PASSWORD FOR u = 'p'", "SET PASSWORD FOR u = 'other'"},
		{"GRANT {READ \\| WRITE \\| ALL} ON db TO u", "GRANT READ ON d TO u"},
		{"REVOKE {READ \\| WRITE \\| ALL} ON db FROM u", "REVOKE READ ON d FROM u"},
		{"GRANT ALL TO u", "GRANT ALL TO u"},
		{"REVOKE ALL FROM u", "REVOKE ALL FROM u"},
		{"SHOW USERS", "SHOW USERS"},
		{"SHOW GRANTS FOR u", "SHOW GRANTS FOR u"},
		{"DROP USER u", "DROP USER u"},
	}},
	{"The server", []statement{
		{"SHOW QUERIES", "SHOW QUERIES"},
		{"KILL QUERY n", "KILL QUERY 4711"},
		{"SHOW STATS [FOR 'module']", "SHOW STATS"},
		{"SHOW DIAGNOSTICS [FOR 'module']", "SHOW DIAGNOSTICS"},
	}},
	{"Beyond InfluxDB", []statement{
		{"GROUP BY time({n}mo \\| {n}q \\| {n}y [, offset])", "SELECT mean(v) FROM m WHERE time >= 0 AND time < 52w GROUP BY time(1mo) TZ('Europe/Berlin')"},
		{"fill(previous, duration)", "SELECT mean(v) FROM m WHERE time >= 1d AND time < 2d GROUP BY time(1h) fill(previous, 7d)"},
	}},
}

// Reference gives docs/influxql.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# InfluxQL in Varve

Made from the tables of the code by ` + "`go test ./query/querytest -run Reference -rewrite`" + `; a test
compares it and runs every example. What is here answers as InfluxDB 1.8.10 does.

## Statements
`)
	for _, group := range statements {
		fmt.Fprintf(&b, "\n### %s\n\n| statement | example |\n|---|---|\n", group.title)
		for _, s := range group.rows {
			fmt.Fprintf(&b, "| `%s` | `%s` |\n", s.syntax, s.example)
		}
	}
	b.WriteString(`
The last two are not InfluxDB's: it refuses their syntax. Continuous queries take them,
too. Windows of the calendar begin with the first of a month, in the zone of ` + "`tz()`" + `;
where a function asks for their length, a month has 30.436875 days. ` + "`fill(previous, 7d)`" + `
fills windows before the first value of the range with the last one from up to seven
days before it.

## Functions

Types: F float, I integer, U unsigned, S string, B boolean; "as is" gives the type that it takes.

### Aggregates and selectors
`)
	functionTable(&b, function.Count, function.CountDistinct)
	b.WriteString("\n### Selectors of several points, and areas\n")
	functionTable(&b, function.Top, function.Integral)
	b.WriteString("\n### Transformations\n")
	functionTable(&b, function.Derivative, function.MovingAverage)
	b.WriteString("\n### Technical analysis\n")
	functionTable(&b, function.ExponentialMovingAverage, function.ChandeMomentumOscillator)
	b.WriteString("\n### Forecasts\n")
	functionTable(&b, function.HoltWinters, function.HoltWintersWithFit)
	b.WriteString("\n### Of numbers, row by row\n\nThey may stand in `WHERE`, too.\n\n| function | gives |\n|---|---|\n")
	for _, s := range function.Scalars() {
		args, gives := "x", "F"
		if s.Args == 2 {
			args = "x, y"
		}
		if s.Keeps {
			gives = "as is"
		}
		fmt.Fprintf(&b, "| `%s(%s)` | %s |\n", s.Name, args, gives)
	}
	return b.String()
}

func functionTable(b *strings.Builder, from, to function.ID) {
	b.WriteString("\n| function | takes | gives | selects a point |\n|---|---|---|---|\n")
	for _, f := range function.IDs() {
		if f < from || f > to {
			continue
		}
		var takes strings.Builder
		gives, same := "", true
		for t := model.Float; t <= model.Boolean; t++ {
			if !f.Takes(t) {
				continue
			}
			takes.WriteString(typeLetter(t))
			gives = typeLetter(f.Result(t))
			same = same && f.Result(t) == t
		}
		if same {
			gives = "as is"
		}
		selects := ""
		if f.Selects() || f == function.Percentile || f >= function.Top && f <= function.Sample {
			selects = "yes"
		}
		name := f.String() + "(" + strings.ReplaceAll(f.Usage(), "|", "\\|") + ")"
		if f == function.CountDistinct {
			name = "count(distinct(" + f.Usage() + "))"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, takes.String(), gives, selects)
	}
}

func typeLetter(t model.FieldType) string {
	return map[model.FieldType]string{model.Float: "F", model.Integer: "I", model.Unsigned: "U", model.String: "S", model.Boolean: "B"}[t]
}
