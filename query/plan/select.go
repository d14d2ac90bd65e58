package plan

import (
	"math/bits"
	"regexp"
	"strings"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// Options is what Compile needs beside the statement.
type Options struct {
	Now time.Time // what now() means; the zero Time is the current time
	// MaxBuckets bounds the number of windows of a GROUP BY time, 0 for none
	// (InfluxDB's max-select-buckets). Without a lower end they are counted from
	// the first point on.
	MaxBuckets int
	// MaxSeries and MaxPoints bound what a query may read at a shard, 0 for
	// none (InfluxDB's max-select-series and max-select-point).
	MaxSeries, MaxPoints int
	// MaxBytes bounds the memory of a query's state, at a shard and again where
	// the shards' answers are merged; 0 for DefaultMaxBytes.
	MaxBytes int
}

// DefaultMaxBytes is enough for some million windows.
const DefaultMaxBytes = 512 << 20

// Measurement names what a FROM clause names. Database and Policy are as
// written, so may be empty. Regex is nil unless the measurement is given by a
// regular expression; Name is empty then.
type Measurement struct {
	Database, Policy, Name string
	Regex                  *regexp.Regexp
}

// Select is a SELECT that passed all checks that need no schema. It may be
// bound several times, by several goroutines.
type Select struct {
	Measurements []Measurement   // in the order of the statement, with those of subqueries
	Range        model.TimeRange // of the rows that count
	// Reads is Range and the windows before it that transformations need, for
	// choosing shards.
	Reads    model.TimeRange
	Location *time.Location // of tz(), in which times are shown; nil for UTC

	stmt    *influxql.SelectStatement
	opt     Options
	window  Window
	grouped bool // by time, even by a time() that InfluxDB ignores, such as time(-1s)
	// inherited is set where the time() is that of the statement around this one.
	inherited bool
	direct    []Measurement // those of Measurements that are not of subqueries
	nested    []*Select     // the subqueries, in the order of the statement
}

// Window gives the windows of GROUP BY time; they are zero without.
func (s *Select) Window() Window { return s.window }

// Schema is what is stored of one measurement in the shards of a Select's
// range. Of a Measurement with a regular expression there is one Schema for
// each measurement that it matches.
type Schema struct {
	Database, Policy, Name string // the real ones, defaults filled in
	Fields                 []model.Field
	TagKeys                []string
	Located                *Located
}

// Compile checks a statement and extracts what can be known without a schema.
// It does not change stmt. Errors have InfluxDB's texts and are of kind
// model.ErrInvalid, or model.ErrNotSupported for what this version lacks.
func Compile(stmt *influxql.SelectStatement, opt Options) (*Select, error) {
	if opt.Now.IsZero() {
		opt.Now = time.Now()
	}
	opt.Now = opt.Now.UTC()
	if opt.MaxBytes == 0 {
		opt.MaxBytes = DefaultMaxBytes
	}
	s := &Select{stmt: stmt.Clone(), opt: opt, Location: stmt.Location}
	if err := s.compile(nil); err != nil {
		return nil, err
	}
	return s, nil
}

// compile compiles a statement, outer being the one that it is a subquery of.
func (s *Select) compile(outer *Select) error {
	stmt := s.stmt
	valuer := influxql.NowValuer{Now: s.opt.Now, Location: stmt.Location}
	condition, times, err := influxql.ConditionExpr(stmt.Condition, &valuer)
	if err != nil {
		return invalid(err)
	}
	if err := checkCondition(condition); err != nil {
		return err
	}
	stmt.Condition = condition

	if s.grouped, err = s.compileDimensions(); err != nil {
		return err
	}
	s.Range = model.TimeRange{Min: model.MinTime, Max: model.MaxTime}
	if !times.Min.IsZero() {
		s.Range.Min = times.MinTimeNano()
	}
	switch {
	case !times.Max.IsZero():
		s.Range.Max = times.MaxTimeNano()
	case s.grouped && outer == nil:
		// Windows without an end would never end.
		s.Range.Max = s.opt.Now.UnixNano()
	}
	if outer != nil {
		if err := s.inherit(outer); err != nil {
			return err
		}
	}

	c := checker{grouped: s.grouped, inherited: s.inherited, limit: stmt.Limit, into: stmt.Target != nil}
	if err := c.fields(stmt); err != nil {
		return err
	}
	if err := c.combination(stmt); err != nil {
		return err
	}
	if outer != nil && len(c.calls) > 0 {
		s.dropNullFill()
	}
	if err := s.compileSources(); err != nil {
		return err
	}
	s.Reads = s.lookBack(s.Range, c.lookBack)
	if stmt.Target != nil && stmt.Fill == influxql.NullFill {
		stmt.Fill = influxql.NoFill // nothing is written for a window without points
	}
	stmt.TimeAlias = c.timeName
	stmt.RewriteDistinct()
	s.dropTimeFields()
	stmt.RewriteRegexConditions()
	if outer != nil {
		return nil // its range depends on that of the statement around it
	}
	return s.checkBuckets(s.Range)
}

// lookBack gives a range that begins, in the statement's order of time, some
// windows earlier.
func (s *Select) lookBack(r model.TimeRange, windows int) model.TimeRange {
	room := uint64(r.Min - model.MinTime)
	if !s.stmt.TimeAscending() {
		room = uint64(model.MaxTime - r.Max)
	}
	hi, by := bits.Mul64(uint64(windows), uint64(s.window.Every))
	if hi > 0 || by > room {
		by = room
	}
	if s.stmt.TimeAscending() {
		r.Min -= int64(by)
	} else {
		r.Max += int64(by)
	}
	return r
}

// compileSources takes apart what FROM names.
func (s *Select) compileSources() error {
	for _, source := range s.stmt.Sources {
		switch source := source.(type) {
		case *influxql.Measurement:
			m := measurement(source)
			s.direct = append(s.direct, m)
			s.Measurements = append(s.Measurements, m)
		case *influxql.SubQuery:
			inner := &Select{stmt: source.Statement, opt: s.opt, Location: source.Statement.Location}
			if err := inner.compile(s); err != nil {
				return err
			}
			s.nested = append(s.nested, inner)
			s.Measurements = append(s.Measurements, inner.Measurements...)
		}
	}
	return nil
}

func measurement(source *influxql.Measurement) Measurement {
	m := Measurement{Database: source.Database, Policy: source.RetentionPolicy, Name: source.Name}
	if source.Regex != nil {
		m.Name, m.Regex = "", source.Regex.Val
	}
	return m
}

// compileDimensions checks GROUP BY and finds the windows. grouped reports
// whether there is a time(), even one that InfluxDB ignores, such as time(-1s).
func (s *Select) compileDimensions() (grouped bool, err error) {
	seen := false
	for _, d := range s.stmt.Dimensions {
		expr := influxql.Reduce(d.Expr, nil)
		d.Expr = expr
		switch expr := expr.(type) {
		case *influxql.VarRef:
			if strings.EqualFold(expr.Val, "time") {
				return false, invalidf("time() is a function and expects at least one argument")
			}
		case *influxql.Call:
			if seen {
				// A first time(0s) does not count, like in InfluxDB.
				if expr.Name == "time" && len(expr.Args) > 0 && len(expr.Args) < 3 {
					if _, ok := expr.Args[0].(*influxql.DurationLiteral); ok {
						return false, invalidf("multiple time dimensions not allowed")
					}
				}
			}
			every, offset, err := s.compileTime(expr)
			if err != nil {
				return false, err
			}
			seen = every != 0
			if every > 0 {
				s.window = Window{Every: int64(every), Offset: offset, Zone: zoneOf(s.stmt.Location)}
			}
		case *influxql.Wildcard, *influxql.RegexLiteral:
		default:
			return false, invalidf("only time and tag dimensions allowed")
		}
	}
	return seen, nil
}

// zoneOf gives nil for UTC, which needs no look-ups.
func zoneOf(l *time.Location) *time.Location {
	if l == nil || l == time.UTC || l.String() == "UTC" {
		return nil
	}
	return l
}

// compileTime reads time(every[, offset]).
func (s *Select) compileTime(call *influxql.Call) (every time.Duration, offset int64, err error) {
	if call.Name != "time" {
		return 0, 0, invalidf("only time() calls allowed in dimensions")
	}
	if n := len(call.Args); n < 1 || n > 2 {
		return 0, 0, invalidf("time dimension expected 1 or 2 arguments")
	}
	d, ok := call.Args[0].(*influxql.DurationLiteral)
	if !ok {
		return 0, 0, invalidf("time dimension must have duration argument")
	}
	if len(call.Args) == 1 {
		return d.Val, 0, nil
	}
	var text string
	switch arg := call.Args[1].(type) {
	case *influxql.DurationLiteral:
		if d.Val != 0 {
			offset = int64(arg.Val % d.Val)
		}
	case *influxql.TimeLiteral:
		offset = int64(arg.Val.Sub(arg.Val.Truncate(d.Val)))
	case *influxql.Call:
		if arg.Name != "now" {
			return 0, 0, invalidf("time dimension offset function must be now()")
		} else if len(arg.Args) != 0 {
			return 0, 0, invalidf("time dimension offset now() function requires no arguments")
		}
		offset = int64(s.opt.Now.Sub(s.opt.Now.Truncate(d.Val)))
	case *influxql.StringLiteral:
		if !arg.IsTimeLiteral() {
			return 0, 0, invalidf("time dimension offset must be duration or now()")
		}
		if _, err := arg.ToTimeLiteral(s.stmt.Location); err != nil {
			return 0, 0, invalid(err)
		}
		// InfluxDB reads it and then finds that it cannot use it.
		text = arg.String()
	default:
		return 0, 0, invalidf("time dimension offset must be duration or now()")
	}
	if text != "" && d.Val > 0 {
		return 0, 0, invalidf("invalid time dimension offset: %s", text)
	}
	return d.Val, offset, nil
}

// dropTimeFields removes "time" from the selected fields; it comes anyway.
func (s *Select) dropTimeFields() {
	kept := s.stmt.Fields[:0]
	for _, f := range s.stmt.Fields {
		if ref, ok := f.Expr.(*influxql.VarRef); ok && ref.Val == "time" {
			continue
		}
		kept = append(kept, f)
	}
	s.stmt.Fields = kept
}

// checkBuckets refuses more windows than allowed, where both ends are given.
func (s *Select) checkBuckets(r model.TimeRange) error {
	if s.opt.MaxBuckets == 0 || s.window.IsZero() || r.Min == model.MinTime || r.Empty() {
		return nil
	}
	first, _ := s.window.Bounds(r.Min)
	last, _ := s.window.Bounds(r.Max - 1)
	n := (uint64(last-first) + uint64(s.window.Every)) / uint64(s.window.Every)
	return tooManyBuckets(n, s.opt.MaxBuckets)
}

func tooManyBuckets(n uint64, limit int) error {
	if limit == 0 || n <= uint64(limit) {
		return nil
	}
	return &model.Error{Kind: model.ErrTooLarge, Text: errText("max-select-buckets limit exceeded: (%d/%d)", n, limit)}
}

// CheckBuckets refuses more windows than allowed between two of them, for a
// range whose beginning only the points tell. Those behind a LIMIT are not made.
func (b *Bound) CheckBuckets(first, last int64) error {
	if first > last {
		first, last = last, first
	}
	n := uint64(last-first)/uint64(b.Window.Every) + 1
	if b.Limit > 0 {
		n = min(n, uint64(b.Limit)+uint64(b.Offset))
	}
	return tooManyBuckets(n, b.MaxBuckets)
}
