package ctl

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var cardinalityCommand = &command{
	name: "cardinality", arguments: "[DATABASE] [--top N]",
	help: "show how many series there are, and of what\n" +
		"First the databases, then the measurements with the most series in one shard group,\n" +
		"and the tags of these with the most values. What grows is shown per hour, counted\n" +
		"over the last hour or since the server started. Shards that are closed do not count.",
	most: 1,
	setup: func(s *session) func(context.Context) error {
		top := s.flags.Int("top", 10, "measurements and tags that are shown")
		return func(ctx context.Context) error { return s.cardinality(ctx, *top) }
	},
}

func (s *session) cardinality(ctx context.Context, top int) error {
	query := url.Values{"top": {strconv.Itoa(top)}}
	if len(s.args) > 0 {
		query.Set("database", s.args[0])
	}
	var r adminapi.Cardinality
	if err := s.get(ctx, "/cardinality?"+query.Encode(), &r); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(r)
	}
	t := newTable(s.out)
	fmt.Fprintln(t, "Database\tSeries\tPer Hour\tMeasurements\tReplicas\tSize")
	for _, d := range r.Databases {
		fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%d\t%s\n", d.Database, d.Series, growth(d.Growth), d.Measurements, d.Shards, size(d.Bytes))
	}
	fmt.Fprintln(t, "\nDatabase\tMeasurement\tSeries\tPer Hour")
	for _, m := range r.Measurements {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", m.Database, oneLine(m.Measurement, topText), m.Series, growth(m.Growth))
	}
	fmt.Fprintln(t, "\nDatabase\tMeasurement\tTag\tValues")
	for _, tag := range r.Tags {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\n", tag.Database, oneLine(tag.Measurement, topText), oneLine(tag.Tag, topText), tag.Values)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return s.silent(r.Lacking)
}

// growth gives what came in an hour, and over what time that was counted where
// that is less.
func growth(g adminapi.Growth) string {
	switch {
	case g.Over == 0:
		return "not known yet"
	case g.Over < 50*time.Minute:
		return fmt.Sprintf("%+.0f (%s)", g.PerHour, g.Over.Round(time.Minute))
	}
	return fmt.Sprintf("%+.0f", g.PerHour)
}
