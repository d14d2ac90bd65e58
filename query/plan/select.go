package plan

import (
	"regexp"
	"slices"
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

	stmt     *influxql.SelectStatement
	opt      Options
	window   Window
	fillBack int64 // of fill(previous, d), in nanoseconds; 0 for none
	grouped  bool  // by time, even by a time() that InfluxDB ignores, such as time(-1s)
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

func byName(x, y model.Field) int { return strings.Compare(x.Name, y.Name) }

// sort puts the fields in order of their names, as named needs them: a name is
// looked up for each column of a result, and there may be as many of both.
func (s *Schema) sort() {
	if !slices.IsSortedFunc(s.Fields, byName) {
		s.Fields = slices.Clone(s.Fields)
		slices.SortStableFunc(s.Fields, byName)
	}
}

// named gives the fields of a name, one for each type.
func (s *Schema) named(name string) []model.Field {
	lo, _ := slices.BinarySearchFunc(s.Fields, model.Field{Name: name}, byName)
	hi := lo
	for hi < len(s.Fields) && s.Fields[hi].Name == name {
		hi++
	}
	return s.Fields[lo:hi]
}

// Compile checks a statement and extracts what can be known without a schema.
// It does not change stmt. Errors have InfluxDB's texts and are of kind
// model.ErrInvalid.
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
	s.Reads = s.reads(s.lookBack(s.Range, c.lookBack))
	if stmt.Target != nil && stmt.Fill == influxql.NullFill {
		stmt.Fill = influxql.NoFill // nothing is written for a window without points
	}
	stmt.TimeAlias = c.timeName
	stmt.RewriteDistinct()
	s.dropTimeFields()
	stmt.RewriteRegexConditions()
	if s.fillBack > 0 && !stmt.TimeAscending() {
		return invalidf("fill(previous, %s) needs ascending order of time", influxql.FormatDuration(time.Duration(s.fillBack)))
	}
	if outer != nil {
		return nil // its range depends on that of the statement around it
	}
	return s.checkBuckets(s.Range)
}

// lookBack gives a range that begins, in the statement's order of time, some
// windows earlier.
func (s *Select) lookBack(r model.TimeRange, windows int) model.TimeRange {
	switch {
	case s.window.IsZero():
	case s.stmt.TimeAscending():
		r.Min = s.window.Move(r.Min, -int64(windows))
	default:
		r.Max = s.window.Move(r.Max, int64(windows))
	}
	return r
}

// reads gives what is read for the windows of a range: with fill(previous, d)
// also whole windows before it, for the values that are carried into it.
func (s *Select) reads(r model.TimeRange) model.TimeRange {
	if s.fillBack > 0 && r.Min != model.MinTime {
		r.Min, _ = s.window.Bounds(addTime(r.Min, -s.fillBack))
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
					_, clock := expr.Args[0].(*influxql.DurationLiteral)
					if _, calendar := calendarMonths(expr.Args[0]); clock || calendar {
						return false, invalidf("multiple time dimensions not allowed")
					}
				}
			}
			w, err := s.compileTime(expr)
			if err != nil {
				return false, err
			}
			seen = w.Every != 0
			if w.Every > 0 {
				s.window = w
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

// compileTime reads time(every[, offset]). With fill(previous, d) a third
// argument says d.
func (s *Select) compileTime(call *influxql.Call) (Window, error) {
	if call.Name != "time" {
		return Window{}, invalidf("only time() calls allowed in dimensions")
	}
	args := call.Args
	if n := len(args); n == 3 {
		var ok bool
		if s.fillBack, ok = fillBack(args[2]); ok {
			args = args[:2]
		}
	}
	if n := len(args); n < 1 || n > 2 {
		return Window{}, invalidf("time dimension expected 1 or 2 arguments")
	}
	w := Window{Zone: zoneOf(s.stmt.Location)}
	if months, ok := calendarMonths(args[0]); ok {
		w.Months, w.Every = months, int64(months)*monthNanos
	} else if d, ok := args[0].(*influxql.DurationLiteral); ok {
		w.Every = int64(d.Val)
	} else {
		return Window{}, invalidf("time dimension must have duration argument")
	}
	if len(args) == 1 {
		return w, nil
	}
	var err error
	w.Offset, err = s.compileOffset(args[1], &w)
	return w, err
}

// compileOffset reads the second argument of time().
func (s *Select) compileOffset(arg influxql.Expr, w *Window) (int64, error) {
	every := time.Duration(w.Every)
	switch arg := arg.(type) {
	case *influxql.DurationLiteral:
		if every == 0 {
			return 0, nil
		}
		return int64(arg.Val % every), nil
	case *influxql.TimeLiteral:
		return int64(arg.Val.Sub(arg.Val.Truncate(every))), nil
	case *influxql.Call:
		if arg.Name != "now" {
			return 0, invalidf("time dimension offset function must be now()")
		} else if len(arg.Args) != 0 {
			return 0, invalidf("time dimension offset now() function requires no arguments")
		}
		if w.Months > 0 {
			return s.opt.Now.UnixNano() - w.calendarStart(w.calendarIndex(s.opt.Now.UnixNano())), nil
		}
		return int64(s.opt.Now.Sub(s.opt.Now.Truncate(every))), nil
	case *influxql.StringLiteral:
		if !arg.IsTimeLiteral() {
			break
		}
		if _, err := arg.ToTimeLiteral(s.stmt.Location); err != nil {
			return 0, invalid(err)
		}
		// InfluxDB reads it and then finds that it cannot use it.
		if every > 0 {
			return 0, invalidf("invalid time dimension offset: %s", arg)
		}
		return 0, nil
	}
	return 0, invalidf("time dimension offset must be duration or now()")
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
	return tooManyBuckets(s.window.Count(first, last), s.opt.MaxBuckets)
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
	n := b.Window.Count(first, last)
	if b.Limit > 0 {
		n = min(n, uint64(b.Limit)+uint64(b.Offset))
	}
	return tooManyBuckets(n, b.MaxBuckets)
}
