package query

import (
	"context"
	"fmt"
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

// maxHinted bounds the names in one hint.
const maxHinted = 10

// hint tells a client that found nothing where the measurements are that it
// named without a policy: in other policies than the default one. It is an
// extension, and does its best: what cannot be asked is not told.
func (r *statementRun) hint(ctx context.Context, unqualified []*influxql.Measurement) {
	seen := map[string]bool{}
	for _, m := range unqualified {
		db, err := r.database(ctx, m.Database)
		if err != nil {
			continue
		}
		for _, p := range db.Policies {
			if p.Name == db.DefaultPolicy {
				continue
			}
			list, err := r.executor.storage.List(ctx, r.read, []Shards{{Database: db.Name, Policy: p.Name, Range: model.AllTime}}, &exec.ListRequest{
				Kind: exec.ListMeasurements, Where: onMeasurement(m), Limit: maxHinted,
			})
			if err != nil || len(list.Entries) == 0 {
				continue
			}
			names := make([]string, len(list.Entries))
			for i := range list.Entries {
				names[i] = influxql.QuoteIdent(list.Entries[i].Measurement)
			}
			text := fmt.Sprintf("nothing was found in the default retention policy %s; %s has data in the retention policy %s",
				influxql.QuoteIdent(db.DefaultPolicy), strings.Join(names, ", "), influxql.QuoteIdent(p.Name))
			if !seen[text] {
				seen[text] = true
				r.messages = append(r.messages, Message{Level: "info", Text: text})
			}
		}
	}
}

// unqualified gives copies of the measurements that a statement names without a
// policy, of subqueries, too; none when the request names one for them.
func (r *statementRun) unqualified(stmt *influxql.SelectStatement) []*influxql.Measurement {
	var all []*influxql.Measurement
	if r.req.Policy != "" {
		return nil
	}
	influxql.WalkFunc(stmt.Sources, func(n influxql.Node) {
		if m, ok := n.(*influxql.Measurement); ok && m.RetentionPolicy == "" && !m.IsTarget {
			all = append(all, m.Clone())
		}
	})
	return all
}
