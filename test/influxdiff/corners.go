package main

import (
	"fmt"
	"strings"
)

// corner gives a query of a kind that dashboards have and the other ones leave out.
func (g *generator) corner() string {
	switch g.Intn(9) {
	case 0:
		return g.math()
	case 1:
		return g.zone()
	case 2:
		return g.nested()
	case 3:
		return g.sources()
	case 4:
		return g.best()
	case 5:
		return g.casts()
	case 6:
		return g.descending()
	case 7:
		return g.stages()
	}
	return g.conditions()
}

// plain gives a call of numbers that are no texts or infinite.
func (g *generator) plain() string {
	return fmt.Sprintf("%s(%s)", g.pick("mean", "sum", "min", "max", "count", "spread", "first", "last"), g.num())
}

// math gives expressions of several calls and constants.
func (g *generator) math() string {
	a, b, c := g.plain(), g.plain(), g.plain()
	e := g.pick(a+" / "+b+" * 100", "("+a+" - "+b+") / "+c, "-"+a, a+" + "+b+" + "+c, "round("+a+") % 7",
		"100 - "+a, a+" * 2 + 1", "abs("+a+" - "+b+")", "floor("+a+" / "+b+")", "pow("+a+", 2) - 1", "("+a+")", a+" & 3", a+" | 1", a+" ^ "+b)
	q := "SELECT " + e + g.pick("", " AS r", ` AS "r 1"`)
	if g.chance(0.3) {
		q += ", " + g.plain() + " AS " + g.pick("r", "s")
	}
	return q + " FROM " + g.s.name + " WHERE " + g.where() + g.group(g.chance(0.7)) + g.limits(true)
}

// zone gives windows of local time.
func (g *generator) zone() string {
	q := fmt.Sprintf("SELECT %s FROM %s WHERE %s GROUP BY time(%s)", g.plain(), g.s.name, g.where(), g.pick(append([]string{"1d", "12h", "1w", "1d, 3h", "6h, -1h"}, g.s.steps...)...))
	if g.s.name == "years" { // 1d would be a row for each of them
		q = fmt.Sprintf("SELECT %s FROM years WHERE %s GROUP BY time(%s)", g.plain(),
			g.pick("time >= '2020-03-01' AND time < '2020-04-15'", "time >= '2020-10-01' AND time <= '2020-11-15T12:00:00Z'", "time > '2021-03-28T01:30:00Z' AND time < '2021-04-20'"),
			g.pick("1d", "7d", "12h", "1w", "1d, 6h", "36h"))
	}
	if g.chance(0.3) {
		q += ", " + g.pick(g.s.tags...)
	}
	if g.chance(0.7) {
		q += " fill(" + g.pick("none", "null", "previous", "0", "linear") + ")"
	}
	if g.chance(0.2) {
		q += " ORDER BY time DESC"
	}
	return q + g.limits(false) + fmt.Sprintf(" tz('%s')", g.pick("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"))
}

// nested gives a subquery of a subquery.
func (g *generator) nested() string {
	tag := g.pick(g.s.tags...)
	inner := fmt.Sprintf("SELECT %s AS x FROM %s WHERE %s GROUP BY %s, %s fill(%s)", g.plain(), g.s.name, g.where(), g.groupTime(), strings.Join(g.s.tags, ", "), g.pick("none", "null", "0", "previous"))
	middle := fmt.Sprintf("SELECT %s AS y FROM (%s) WHERE %s GROUP BY time(%s), %s", g.pick("max(x)", "sum(x)", "count(x)", "x * 2"), inner, g.s.span, g.s.steps[0], tag)
	if strings.HasPrefix(middle, "SELECT x") {
		middle = fmt.Sprintf("SELECT x * 2 AS y FROM (%s) GROUP BY %s", inner, tag)
	}
	return fmt.Sprintf("SELECT %s FROM (%s) WHERE %s%s%s", g.pick("mean(y)", "max(y)", "y", "sum(y) / count(y)", "top(y, 2)", "cumulative_sum(max(y))"), middle, g.s.span,
		g.pick(" GROUP BY time("+g.s.steps[0]+")", " GROUP BY time("+g.s.steps[0]+"), "+tag+" fill(none)"), g.limits(false))
}

// sources gives statements of several measurements, by name and by pattern.
func (g *generator) sources() string {
	from := g.pick("/^(gaps|walk)$/", "gaps, walk", "/a/", "gaps, ties", "/^(ties|gaps|walk)$/")
	span := "time >= '2023-11-12T23:25:00Z' AND time < '2023-11-13T00:35:00Z'"
	fn := g.pick("mean", "max", "count", "last", "sum", "median")
	switch g.Intn(4) {
	case 0:
		return fmt.Sprintf("SELECT %s(v) FROM %s WHERE %s GROUP BY time(10m)%s", fn, from, span, g.pick("", " fill(0)", " fill(previous)", ", * fill(none)"))
	case 1:
		return fmt.Sprintf("SELECT %s(x) FROM (SELECT %s AS x FROM %s WHERE %s)", fn, g.pick("v", "v * 2", "abs(v)"), from, span)
	case 2:
		return fmt.Sprintf("SELECT %s(x) FROM (SELECT %s(v) AS x FROM %s WHERE %s GROUP BY time(5m), * fill(none)) WHERE %s GROUP BY time(10m)", fn, g.pick("max", "mean", "sum"), from, span, span)
	}
	return fmt.Sprintf("SELECT %s FROM (SELECT v FROM gaps), (SELECT v, i FROM walk) WHERE %s%s", g.pick("v", "*", "mean(v)", "max(v), max(i)", "count(v)"), span, g.limits(false))
}

// best gives top() and bottom() with tags.
func (g *generator) best() string {
	tags := strings.Join(g.s.tags[:1+g.Intn(len(g.s.tags))], ", ")
	q := fmt.Sprintf("SELECT %s(%s, %s, %d)%s FROM %s WHERE %s", g.pick("top", "bottom"), g.num(), tags, 1+g.Intn(5), g.pick("", " AS t1", ", "+g.anyField()), g.s.name, g.where())
	switch g.Intn(3) {
	case 0:
		q += " GROUP BY " + g.groupTime()
	case 1:
		q += " GROUP BY " + g.groupTime() + ", " + g.pick(g.s.tags...)
	}
	return q
}

// casts gives fields as other types.
func (g *generator) casts() string {
	f := g.num()
	cast := f + g.pick("::integer", "::float", "::field", "::string", "::boolean")
	switch g.Intn(3) {
	case 0:
		return fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s%s", cast, g.pick(f, "*::tag", g.pick(g.s.tags...)+"::tag"), g.s.name, g.where(), g.limits(true))
	case 1:
		return fmt.Sprintf("SELECT %s(%s) FROM %s WHERE %s%s", g.pick("mean", "max", "count", "sum"), cast, g.s.name, g.where(), g.group(true))
	}
	return fmt.Sprintf("SELECT %s %s 2 FROM %s WHERE %s AND %s > 1%s", cast, g.pick("+", "/", "*"), g.s.name, g.s.span, cast, g.limits(true))
}

// descending gives the newest rows, with fills that look the other way.
func (g *generator) descending() string {
	return fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s%s ORDER BY time DESC%s", g.plain(), g.plain(), g.s.name, g.where(), g.group(true), g.limits(true))
}

// stages gives functions of the order over calls, with limits and math.
func (g *generator) stages() string {
	t := fmt.Sprintf("%s(%s)", g.pick("mean", "sum", "max", "count", "last", "median"), g.num())
	x := g.pick("derivative("+t+", 1m)", "non_negative_derivative("+t+")", "difference("+t+")", "cumulative_sum("+t+")", "moving_average("+t+", 3)", "elapsed("+t+", 1s)", "non_negative_difference("+t+")")
	cols := g.pick(x, x+" * 2", x+" / 60 AS rate", x+", "+g.plain(), x+" + "+g.plain())
	q := fmt.Sprintf("SELECT %s FROM %s WHERE %s%s", cols, g.s.name, g.where(), g.group(true))
	if g.chance(0.15) {
		q += " ORDER BY time DESC"
	}
	return q + g.limits(true)
}

// conditions gives fields of several types and patterns.
func (g *generator) conditions() string {
	n, m := g.num(), g.num()
	w := []string{
		fmt.Sprintf("(%s > %s AND %s < %s)", n, g.pick("0", "1.5", "10"), m, g.pick("50", "1000")),
		fmt.Sprintf("%s =~ /%s/", g.pick(g.s.tags...), g.pick("^server0[0-1]$", "(?i)^[AEX]", "^.$", "0|1", "west")),
		fmt.Sprintf("%s !~ /^(nosuch|server02|b)$/", g.pick(g.s.tags...)),
		fmt.Sprintf("%s != %s", n, m),
		fmt.Sprintf("%s = %s", g.pick(g.s.tags...), g.pick(g.s.tags...)),
		fmt.Sprintf("(%s > 0) = true", n),
	}
	if len(g.s.others) > 0 {
		o := g.s.others[0]
		w = append(w, o+" = 's1'", o+" =~ /^[ms][13]$/ OR "+n+" > 40", o+" <> ''", o+" !~ /[02]/")
	}
	if len(g.s.others) > 1 {
		b := g.s.others[1]
		w = append(w, b+" = true", b+" != false AND "+n+" >= 1", b)
	}
	q := fmt.Sprintf("SELECT %s FROM %s WHERE %s AND (%s) AND (%s)", g.pick(g.anyField(), "*", g.plain(), n+", "+m, "count(*)"), g.s.name, g.s.span, g.pick(w...), g.pick(w...))
	if g.chance(0.4) {
		q += " GROUP BY " + g.groupTags()
	}
	return q + g.limits(true)
}
