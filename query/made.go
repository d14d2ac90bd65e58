package query

import "github.com/influxdata/influxql"

// Make gives a query of statements that were made and not parsed, for routes
// whose requests are not InfluxQL: what a client names there is never part of a
// text that could be read otherwise. All that holds for statements of a text
// holds for these, too.
func (e *Executor) Make(req Request, statements ...influxql.Statement) (*Query, error) {
	if err := e.allow(&req, statements); err != nil {
		return nil, err
	}
	q := &Query{req: req, statements: statements}
	q.text = q.statements.String()
	return q, nil
}
