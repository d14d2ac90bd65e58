package ctl

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var limitCommand = &command{
	name: "limit", arguments: "[DATABASE|--user NAME] [--LIMIT N|none|default …]",
	help: "show what databases and users may have and take, or change it\n" +
		"It is in force at once, on every node. Series that there are stay; points in a\n" +
		"second, queries at a time and their memory are counted by each node for itself.",
	most: 1,
	setup: func(s *session) func(context.Context) error {
		var r adminapi.LimitRequest
		user := s.flags.String("user", "", "the user (`NAME`) whose limits are changed, in place of a database")
		s.flags.Var(limitFlag{&r.MaxSeries, nil}, "max-series", "`N` series in one shard group")
		s.flags.Var(limitFlag{&r.MaxValuesPerTag, nil}, "max-values-per-tag", "`N` values of one tag of one measurement")
		s.flags.Var(limitFlag{&r.WritePoints, nil}, "write-points", "`N` points written in a second")
		s.flags.Var(limitFlag{&r.Queries, nil}, "queries", "`N` queries at a time; others wait")
		s.flags.Var(limitFlag{&r.QueryBytes, sizes}, "query-memory", "`N` bytes of memory of the queries that run, as 64m")
		return func(ctx context.Context) error {
			given := r != (adminapi.LimitRequest{})
			if len(s.args) == 0 && *user == "" {
				if given {
					return errors.New("give the database, or --user")
				}
				return s.limits(ctx)
			}
			path, name := "/users/", *user
			switch {
			case len(s.args) > 0 && *user != "":
				return errors.New("give the database or --user, not both")
			case !given:
				return errors.New("give a limit: --max-series, --max-values-per-tag, --write-points, --queries or --query-memory")
			case len(s.args) > 0:
				path, name = "/databases/", s.args[0]
			}
			if err := s.post(ctx, path+url.PathEscape(name)+"/limits", r, nil); err != nil {
				return err
			}
			return s.say(nil, "Changed the limits of %s", name)
		}
	},
}

// limitFlag is a limit of a request, which stays nil while it is not given.
type limitFlag struct {
	n     **int64
	units map[string]int64 // that a number may have; nil: none
}

var _ flag.Value = limitFlag{}

// sizes are the units of sizes.
var sizes = map[string]int64{"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}

// String implements flag.Value.
func (f limitFlag) String() string { return "" }

// Set implements flag.Value.
func (f limitFlag) Set(text string) error {
	n := int64(0)
	switch text {
	case "default":
	case "none":
		n = adminapi.NoLimit
	default:
		number, unit := text, int64(1)
		for suffix, u := range f.units {
			if before, ok := strings.CutSuffix(text, suffix); ok {
				number, unit = before, u
			}
		}
		var err error
		if n, err = strconv.ParseInt(number, 10, 64); err != nil || n < 1 || n > (1<<62)/unit {
			return errors.New("it is a number above 0, none or default")
		}
		n *= unit
	}
	*f.n = &n
	return nil
}

func (s *session) limits(ctx context.Context) error {
	var r adminapi.Limits
	if err := s.get(ctx, "/limits", &r); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(r)
	}
	t := newTable(s.out)
	const columns = "\tMaxSeries\tMaxValuesPerTag\tWritePoints/s\tQueries\tQueryMemory"
	fmt.Fprintln(t, "Database"+columns)
	for _, d := range r.Databases {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", d.Name, seriesText(d.MaxSeries, d.OwnSeries), seriesText(d.MaxValuesPerTag, d.OwnValuesPerTag), quotaText(d.Quota))
	}
	t.Flush()
	if len(r.Users) == 0 {
		return nil
	}
	fmt.Fprintln(s.out)
	t = newTable(s.out)
	fmt.Fprintln(t, "User"+columns)
	for _, u := range r.Users {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", u.Name, limitText(u.MaxSeries), limitText(u.MaxValuesPerTag), quotaText(u.Quota))
	}
	t.Flush()
	return nil
}

func quotaText(q adminapi.Quota) string {
	memory := "none"
	if q.QueryBytes > 0 {
		memory = size(q.QueryBytes)
	}
	return limitText(q.WritePoints) + "\t" + limitText(q.Queries) + "\t" + memory
}

func seriesText(n int64, own bool) string {
	text := limitText(n)
	if !own {
		text += " (default)"
	}
	return text
}

func limitText(n int64) string {
	if n == 0 {
		return "none"
	}
	return strconv.FormatInt(n, 10)
}
