package querytest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Generator draws rows of a measurement m and statements that select from it,
// for tests of what does not depend on where the rows are.
//
// No two rows have one time, so rows have one order. Floats are multiples of a
// half, so their sums do not depend on an order.
type Generator struct{ *rand.Rand }

// The rows are around the end of summer time in Europe.
var generatedFrom = time.Date(2019, 10, 26, 22, 0, 0, 0, time.UTC)

const generatedFor = 8 * time.Hour

func (g Generator) pick(s ...string) string  { return s[g.IntN(len(s))] }
func (g Generator) chance(part float64) bool { return g.Float64() < part }

// Lines gives n points in line protocol, by time.
func (g Generator) Lines(n int) []string {
	lines := make([]string, n)
	step := int64(generatedFor) / int64(n)
	for i := range lines {
		key := "m" + g.pick("", ",h=a", ",h=a", ",h=b", ",h=b", ",h=c") + g.pick("", ",r=x", ",r=y")
		x := g.IntN(19) - 9
		fields := []string{fmt.Sprintf("f=%g", float64(x)/2), fmt.Sprintf("i=%di", x), fmt.Sprintf(`s="s%d"`, x), fmt.Sprintf("b=%t", x%2 == 0)}
		g.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		at := generatedFrom.Add(time.Duration(int64(i)*step + g.Int64N(step)))
		if g.chance(0.5) { // at a round time, where windows begin
			at = generatedFrom.Add(time.Duration(int64(i) * step))
		}
		lines[i] = fmt.Sprintf("%s %s %d", key, strings.Join(fields[:1+g.IntN(len(fields))], ","), at.UnixNano())
	}
	return lines
}

// Same reports whether the answer got of rows that are cut in some way is what
// it should be, by that of rows that are in one shard. The numbers of
// stddev and those around a subquery, which are no multiples of a half, may
// differ a little, as may the order in which they are added up. A statement that
// is refused has no rows where there is no shard in its range.
func Same(statement, got, want string) bool {
	if got == want || got == "" && strings.HasPrefix(want, "error:") {
		return true
	}
	x, y := strings.Fields(got), strings.Fields(want)
	if len(x) != len(y) || !strings.Contains(statement, "stddev") && !strings.Contains(statement, "(SELECT") {
		return false
	}
	for i := range x {
		u, err := strconv.ParseFloat(x[i], 64)
		v, verr := strconv.ParseFloat(y[i], 64)
		if x[i] != y[i] && (err != nil || verr != nil || math.Abs(u-v) > 1e-9*max(1, math.Abs(u))) {
			return false
		}
	}
	return true
}

// Statement gives a SELECT. What depends on the shards of a range in InfluxDB,
// too, it has not: wildcards for columns together with a range of time, and
// SLIMIT, which counts the groups that those shards know.
func (g Generator) Statement() string {
	q := g.selects(2)
	for strings.Contains(q, "time ") && strings.ContainsAny(q, "*[") {
		q = g.selects(2)
	}
	if g.chance(0.3) {
		q += " tz('" + g.pick("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC") + "')"
	}
	return q
}

func (g Generator) selects(depth int) string {
	if depth > 0 && g.chance(0.25) {
		return g.outer(depth)
	}
	switch g.IntN(6) {
	case 0:
		return "SELECT " + g.columns() + " FROM " + g.source() + g.where() + g.by("") + g.rest()
	case 1:
		return "SELECT " + g.selector() + " FROM " + g.source() + g.where() + g.group() + g.rest()
	case 2:
		return "SELECT " + g.transformed(g.number()) + g.several(func() string { return g.transformed(g.number()) }) + " FROM m" + g.where() + g.by("") + g.rest()
	case 3:
		return "SELECT " + g.transformed(g.aggregate("")) + g.several(func() string { return g.transformed(g.aggregate("")) }) + " FROM m" + g.bounded() + g.by(g.windows()) + g.fill() + g.rest()
	}
	return "SELECT " + g.term() + g.several(g.term) + " FROM " + g.source() + g.where() + g.group() + g.rest()
}

// outer gives a statement around another one.
func (g Generator) outer(depth int) string {
	var inner string
	switch g.IntN(5) {
	case 0:
		inner = "SELECT " + g.number() + " AS x, s FROM m" + g.where()
	case 1:
		inner = "SELECT " + g.aggregate("") + " AS x FROM m" + g.bounded() + g.by(g.windows()) + g.fill()
	case 2:
		inner = "SELECT " + g.transformed(g.number()) + " AS x FROM m" + g.where() + g.by("")
	case 3:
		inner = "SELECT " + g.pick("max", "min", "first", "last") + "(" + g.number() + ") AS x, s FROM m" + g.where() + g.by("")
	default:
		inner = strings.Replace(g.selects(depth-1), " FROM", " AS x FROM", 1)
	}
	from := " FROM (" + inner + ")"
	if g.chance(0.1) {
		from += ", (SELECT i AS x FROM m" + g.where() + ")"
	}
	where := ""
	if g.chance(0.5) {
		where = g.bounded()
		if g.chance(0.4) {
			where += " AND x " + g.pick(">", "<", "!=") + " " + g.pick("0", "2", "-1.5")
		}
	}
	if g.chance(0.4) {
		return "SELECT " + g.pick("x", "*", "x, h", "x + 1", g.transformed("x"), "top(x, 2)", "bottom(x, h, 2)") + from + where + g.by("") + g.rest()
	}
	group := g.by("")
	if where != "" {
		group = g.group()
	}
	return "SELECT " + g.aggregate("x") + g.several(func() string { return g.aggregate("x") }) + from + where + group + g.rest()
}

func (g Generator) several(f func() string) (text string) {
	for g.chance(0.3) {
		text += ", " + f()
	}
	return text
}

func (g Generator) number() string { return g.pick("f", "i") }
func (g Generator) field() string  { return g.pick("f", "i", "s", "b") }

func (g Generator) source() string {
	return g.pick("m", "m", "m", "m", "m", "/^m$/", "m, m", "d.autogen.m")
}

func (g Generator) columns() string {
	return g.pick("*", "f", "i, f", "f, h", "s, b, r", "f + i", "f / i, s", "i % 4", "i & 3, f", "*::field", "/[fi]/", "f::integer, i::float", "-f", "abs(f), i", "pow(i, 2)", "f AS x, i AS y", "nosuch, f")
}

func (g Generator) where() string {
	switch g.IntN(3) {
	case 0:
		return g.bounded()
	case 1:
		return " WHERE " + g.condition()
	}
	return ""
}

func (g Generator) at() string {
	return generatedFrom.Add(time.Duration(g.IntN(int(generatedFor/time.Minute))) * time.Minute).Format("'2006-01-02 15:04:05'")
}

// bounded gives a condition with both ends of time.
func (g Generator) bounded() string {
	from, to := generatedFrom.Add(-time.Hour).Format("'"+time.RFC3339+"'"), generatedFrom.Add(generatedFor).Format("'"+time.RFC3339+"'")
	if g.chance(0.6) {
		from = g.at()
	}
	text := " WHERE time " + g.pick(">", ">=") + " " + from + " AND time " + g.pick("<", "<=") + " " + to
	if g.chance(0.4) {
		text += " AND " + g.condition()
	}
	return text
}

func (g Generator) condition() string {
	if g.chance(0.2) {
		return "(" + g.condition() + g.pick(" AND ", " OR ") + g.condition() + ")"
	}
	return g.pick(
		"h = 'a'", "h != 'a'", "h =~ /[ab]/", "h !~ /b/", "h = ''", "r = 'x'", "r != ''", "r =~ /./", "h = r",
		"f > 0", "i <= 2", "f + i > 1", "s = 's1'", "s =~ /[13]/", "b = true", "f = i / 2", "nosuch = 1", "i % 3 = 1", "(f > 2 OR h = 'c')",
	)
}

func (g Generator) by(windows string) string {
	by := g.pick("", "", "h", "r", "h, r", "*", "/[hr]/", "nosuch")
	switch {
	case windows != "" && by != "":
		return " GROUP BY " + windows + ", " + by
	case windows+by == "":
		return ""
	}
	return " GROUP BY " + windows + by
}

func (g Generator) windows() string {
	return "time(" + g.pick("10m", "20m", "1h", "90m", "1h, 10m", "2h, -5m", "1d", "7m") + ")"
}

// group gives windows with the fill of a statement that has a beginning or not.
func (g Generator) group() string {
	if g.chance(0.35) {
		return g.by("")
	}
	return g.by(g.windows()) + g.fill()
}

func (g Generator) fill() string {
	return g.pick("", " fill(none)", " fill(none)", " fill(null)", " fill(previous)", " fill(linear)", " fill(0)", " fill(-2.5)")
}

func (g Generator) rest() (text string) {
	if g.chance(0.3) {
		text += " ORDER BY time DESC"
	}
	if g.chance(0.25) {
		text += fmt.Sprintf(" LIMIT %d", 1+g.IntN(9))
		if g.chance(0.4) {
			text += fmt.Sprintf(" OFFSET %d", g.IntN(6))
		}
	}
	return text
}

// aggregate gives a call of a field, of x when it is given.
func (g Generator) aggregate(x string) string {
	number, any := g.number(), g.field()
	if x != "" {
		number, any = x, x
	}
	return g.pick(
		"count("+any+")", "count(distinct("+any+"))", "first("+any+")", "last("+any+")", "mode("+any+")",
		"sum("+number+")", "mean("+number+")", "min("+number+")", "max("+number+")", "spread("+number+")", "median("+number+")",
		"stddev("+number+")", "percentile("+number+", "+g.pick("1", "40", "90", "100")+")", "integral("+number+", 1m)",
	)
}

// term gives a column of aggregates.
func (g Generator) term() string {
	if g.chance(0.15) {
		return g.aggregate("") + g.pick(" + ", " - ", " * ", " / ") + g.pick(g.aggregate(""), "2")
	}
	if g.chance(0.08) {
		return g.pick("mean", "max", "count", "first", "sum", "mode") + "(" + g.pick("*", "/[fi]/") + ")"
	}
	return g.aggregate("")
}

func (g Generator) selector() string {
	if g.chance(0.2) {
		return "distinct(" + g.field() + ")"
	}
	n := g.number()
	call := g.pick(
		"max("+n+")", "min("+n+")", "first("+g.field()+")", "last("+g.field()+")", "percentile("+n+", 50)",
		"top("+n+", 3)", "bottom("+n+", 2)", "top("+n+", h, 2)", "bottom("+n+", h, r, 4)", "sample("+n+", 1000)",
	)
	return call + g.pick("", "", ", s", ", f, i", ", h", ", *")
}

// transformed gives a transformation of a field or of a call.
func (g Generator) transformed(of string) string {
	switch g.IntN(10) {
	case 0:
		return "derivative(" + of + ", 1m)"
	case 1:
		return "non_negative_derivative(" + of + ")"
	case 2:
		return "non_negative_difference(" + of + ")"
	case 3:
		return "moving_average(" + of + ", " + g.pick("2", "3", "5") + ")"
	case 4:
		return "cumulative_sum(" + of + ")"
	case 5:
		return "elapsed(" + of + ", 1s)"
	case 6:
		return g.pick("abs", "round", "sqrt", "cos") + "(" + of + ")"
	case 7:
		return g.pick("exponential_moving_average", "relative_strength_index", "kaufmans_adaptive_moving_average", "chande_momentum_oscillator") + "(" + of + ", 3)"
	}
	return "difference(" + of + ")"
}
