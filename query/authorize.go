package query

import (
	"cmp"
	"context"
	"fmt"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// User is who sends a request, with what he may do at that moment.
type User interface {
	Name() string
	// Admin reports whether he may do everything.
	Admin() bool
	// May reports whether he has a privilege, READ or WRITE, on a database, there
	// or not. An administrator may all.
	May(database string, p influxql.Privilege) bool
}

// Nobody is the User of requests while authentication is on and there is no
// administrator whom they could come from. He may do nothing, but for creating
// the first administrator where Founds is set.
type Nobody struct{ Founds bool }

// Name gives "": he has none.
func (Nobody) Name() string { return "" }

// Admin gives false.
func (Nobody) Admin() bool { return false }

// May gives false.
func (Nobody) May(string, influxql.Privilege) bool { return false }

// founder is the user that a request of Nobody goes on as, once its first
// statement made him the first administrator.
type founder string

func (f founder) Name() string                        { return string(f) }
func (f founder) Admin() bool                         { return true }
func (f founder) May(string, influxql.Privilege) bool { return true }

// may reports whether who asks has a privilege on a database.
func (r *Request) may(database string, p influxql.Privilege) bool {
	return r.User == nil || r.User.Admin() || r.User.May(database, p)
}

// A need is a right that a statement needs: that of an administrator, or a
// privilege on a database.
type need struct {
	admin     bool
	database  string
	privilege influxql.Privilege
}

func reads(database string) need { return need{database: database, privilege: influxql.ReadPrivilege} }

func writes(database string) need {
	return need{database: database, privilege: influxql.WritePrivilege}
}

// allow decides whether a request may run statements: all, or none of them. It
// is called before the first runs. The error is of kind model.ErrForbidden and
// has InfluxDB's text.
func (e *Executor) allow(r *Request, statements influxql.Statements) error {
	if i, err := r.refuseForeign(statements); err != nil {
		e.recordRefused(r, statements, i, err)
		return err
	}
	if nobody, ok := r.User.(Nobody); ok {
		err := e.found(nobody, statements)
		if err != nil {
			e.recordRefused(r, statements, 0, err)
		}
		return err
	}
	for i, stmt := range statements {
		err := r.authorize(stmt)
		if err != nil && r.Renew != nil {
			if r.User, err = r.Renew(); err != nil {
				return err
			}
			err = r.authorize(stmt)
		}
		if err != nil {
			e.recordRefused(r, statements, i, err)
			return err
		}
	}
	return nil
}

// authorize decides whether a user, or anyone, may run a statement.
func (r *Request) authorize(stmt influxql.Statement) error {
	if r.User == nil || r.User.Admin() {
		return nil
	}
	for _, n := range r.needs(stmt) {
		requires := "admin privilege"
		if !n.admin {
			if r.User.May(n.database, n.privilege) {
				continue
			}
			requires = n.privilege.String() + " on " + n.database
		}
		return forbidden("%s not authorized to execute statement '%s', requires %s", r.User.Name(), printed(stmt), requires)
	}
	return nil
}

// found decides whether Nobody may run statements: if the first creates an
// administrator.
func (e *Executor) found(n Nobody, statements influxql.Statements) error {
	first := len(statements) > 0 && createsAdmin(statements[0]) != nil
	users, err := e.catalog.Users(context.Background())
	switch {
	case err != nil:
		return err
	case first && n.Founds:
		return nil
	case first:
		return forbidden("the first admin user is created from the machine of the server, or with the bootstrap token")
	case len(users) > 0: // who could give them rights is gone
		return forbidden("no user provided")
	}
	return forbidden("create admin user first or disable authentication")
}

// createsAdmin gives a statement that creates an administrator; nil for others.
func createsAdmin(stmt influxql.Statement) *influxql.CreateUserStatement {
	if create, ok := stmt.(*influxql.CreateUserStatement); ok && create.Admin {
		return create
	}
	return nil
}

func forbidden(format string, args ...any) error {
	return &model.Error{Kind: model.ErrForbidden, Text: "error authorizing query: " + fmt.Sprintf(format, args...)}
}

// needs gives what a statement needs, in the order in which InfluxDB asks for it.
// It asks for more than InfluxDB where that lets a user read or write what he
// may not: for every database that a statement names, wherever it does, and for
// those of a statement that counts exactly, which InfluxDB leaves to anyone.
//
// What is not here needs an administrator.
func (r *Request) needs(stmt influxql.Statement) []need {
	switch stmt := stmt.(type) {
	case *influxql.SelectStatement:
		return selectNeeds(stmt, r.Database)
	case *influxql.ExplainStatement:
		return selectNeeds(stmt.Statement, r.Database)
	case *influxql.CreateContinuousQueryStatement:
		return r.continuousNeeds(stmt)
	case *influxql.DeleteSeriesStatement:
		return []need{writes(r.Database)} // the parser refuses another
	case *influxql.DropSeriesStatement:
		return []need{writes(r.Database)}
	case *influxql.DropRetentionPolicyStatement:
		return []need{writes(stmt.Database)}
	case *influxql.DropContinuousQueryStatement:
		return []need{writes(stmt.Database)}

	case *influxql.ShowDatabasesStatement:
		return nil // it shows those that he may read or write
	case *influxql.ShowQueriesStatement, *influxql.ShowContinuousQueriesStatement:
		return []need{reads(r.Database)} // they show what he may see
	case *influxql.ShowMeasurementsStatement:
		if stmt.WildcardDatabase {
			return nil // it shows those of the databases that he may read
		}
		return r.look(stmt.Database)
	case *influxql.ShowRetentionPoliciesStatement:
		return r.look(stmt.Database)
	case *influxql.ShowSeriesStatement:
		return r.look(stmt.Database, stmt.Sources...)
	case *influxql.ShowTagKeysStatement:
		return r.look(stmt.Database, stmt.Sources...)
	case *influxql.ShowTagValuesStatement:
		return r.look(stmt.Database, stmt.Sources...)
	case *influxql.ShowFieldKeysStatement:
		return r.look(stmt.Database, stmt.Sources...)
	}
	if c, _ := cardinalityOf(stmt); c != nil {
		return r.count(c)
	}
	return []need{{admin: true}}
}

// look is the need of a statement that shows names of a database, and of those
// that its sources name.
func (r *Request) look(database string, sources ...influxql.Source) []need {
	database = cmp.Or(database, r.Database)
	return sourceNeeds([]need{reads(database)}, sources, database)
}

// count is the need of SHOW … CARDINALITY. To count by names InfluxDB takes the
// databases of the sources, if there are any.
func (r *Request) count(c *cardinality) []need {
	if c.exact && len(c.sources) > 0 {
		return sourceNeeds(nil, c.sources, cmp.Or(c.database, r.Database))
	}
	return r.look(c.database, c.sources...)
}

// selectNeeds is the need of a SELECT whose measurements are in database where
// they name none.
func selectNeeds(stmt *influxql.SelectStatement, database string) []need {
	all := sourceNeeds(nil, stmt.Sources, database)
	if stmt.Target != nil {
		all = append(all, writes(cmp.Or(stmt.Target.Measurement.Database, database)))
	}
	return all
}

// sourceNeeds adds what the sources need, at any depth of subqueries.
func sourceNeeds(all []need, sources influxql.Sources, database string) []need {
	for _, source := range sources {
		switch source := source.(type) {
		case *influxql.Measurement:
			all = append(all, reads(cmp.Or(source.Database, database)))
		case *influxql.SubQuery:
			all = append(all, selectNeeds(source.Statement, database)...)
		default: // there is no other
			all = append(all, need{admin: true})
		}
	}
	return all
}

// continuousNeeds is the need of a continuous query for all that it will do: it
// runs with nobody's rights, and goes on when its maker has lost his.
func (r *Request) continuousNeeds(stmt *influxql.CreateContinuousQueryStatement) []need {
	all := []need{reads(stmt.Database)}
	if target := stmt.Source.Target.Measurement.Database; target != "" {
		all = append(all, writes(target))
	}
	database := cmp.Or(r.Database, stmt.Database) // as createContinuousQuery has it
	return append(all, selectNeeds(stmt.Source, database)...)
}
