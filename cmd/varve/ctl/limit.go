package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var limitCommand = &command{
	name: "limit", arguments: "[DATABASE [--max-series N|none|default] [--max-values-per-tag N|none|default]]",
	help: "show how many series databases may have, or change it\n" +
		"It is in force at once, on every node. Series that there are stay.",
	most: 1,
	setup: func(s *session) func(context.Context) error {
		series := s.flags.String("max-series", "", "series in one shard group")
		values := s.flags.String("max-values-per-tag", "", "values of one tag of one measurement")
		return func(ctx context.Context) error {
			if len(s.args) == 0 {
				if *series != "" || *values != "" {
					return errors.New("give the database")
				}
				return s.limits(ctx)
			}
			var r adminapi.LimitRequest
			var err, verr error
			r.MaxSeries, err = parseLimit("max-series", *series)
			r.MaxValuesPerTag, verr = parseLimit("max-values-per-tag", *values)
			if err := errors.Join(err, verr); err != nil {
				return err
			}
			if r == (adminapi.LimitRequest{}) {
				return errors.New("give --max-series or --max-values-per-tag")
			}
			if err := s.post(ctx, "/databases/"+url.PathEscape(s.args[0])+"/limits", r, nil); err != nil {
				return err
			}
			return s.say(nil, "Changed the limits of %s", s.args[0])
		}
	},
}

// parseLimit reads a limit; nil is that none was given.
func parseLimit(name, text string) (*int64, error) {
	n := int64(0)
	switch text {
	case "":
		return nil, nil
	case "default":
	case "none":
		n = adminapi.NoLimit
	default:
		var err error
		if n, err = strconv.ParseInt(text, 10, 64); err != nil || n < 1 {
			return nil, fmt.Errorf("--%s: %q is no number above 0, none or default", name, text)
		}
	}
	return &n, nil
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
	fmt.Fprintln(t, "Database\tMaxSeries\tMaxValuesPerTag")
	for _, d := range r.Databases {
		fmt.Fprintf(t, "%s\t%s\t%s\n", d.Name, limitText(d.MaxSeries, d.OwnSeries), limitText(d.MaxValuesPerTag, d.OwnValuesPerTag))
	}
	t.Flush()
	return nil
}

func limitText(n int64, own bool) string {
	text := strconv.FormatInt(n, 10)
	if n == 0 {
		text = "none"
	}
	if !own {
		text += " (default)"
	}
	return text
}
