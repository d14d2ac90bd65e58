package query

import (
	"reflect"
	"strings"
	"unicode"

	"github.com/influxdata/influxql"
)

// Audit is told of statements that change something or that are for
// administrators, once each: after it ran, or when it was refused or not run
// because of another; and of other statements that were refused. Package
// coordinator/audit implements it.
type Audit interface {
	// Statement is told of one statement of r. The text has no passwords; err is
	// nil where it succeeded.
	Statement(r *Request, action, database, text string, err error)
}

// Audit has statements told to a. It is called before the first request.
func (e *Executor) Audit(a Audit) { e.audit = a }

// record tells of a statement that is audited. The statement is not used again.
func (e *Executor) record(r *Request, stmt influxql.Statement, err error) {
	if e.audit != nil && r.audited(stmt) {
		e.tell(r, stmt, err)
	}
}

// recordRefused tells of the statements of a request of which one was refused.
func (e *Executor) recordRefused(r *Request, all influxql.Statements, refused int, err error) {
	if e.audit == nil {
		return
	}
	for i, stmt := range all {
		switch {
		case i == refused:
			e.tell(r, stmt, err)
		case r.audited(stmt):
			e.tell(r, stmt, errNotExecuted)
		}
	}
}

func (e *Executor) tell(r *Request, stmt influxql.Statement, err error) {
	e.audit.Statement(r, actionOf(stmt), r.databaseOf(stmt), printed(stmt), err)
}

// audited reports whether a statement changes something besides points, or is for
// administrators.
func (r *Request) audited(stmt influxql.Statement) bool {
	switch stmt.(type) {
	case *influxql.DeleteSeriesStatement, *influxql.DropSeriesStatement, *influxql.DropRetentionPolicyStatement,
		*influxql.CreateContinuousQueryStatement, *influxql.DropContinuousQueryStatement:
		return true
	}
	for _, n := range r.needs(stmt) {
		if n.admin {
			return true
		}
	}
	return false
}

// actionOf gives the words that name a statement's type: "create database" for a
// CreateDatabaseStatement.
func actionOf(stmt influxql.Statement) string {
	name := strings.TrimSuffix(reflect.Indirect(reflect.ValueOf(stmt)).Type().Name(), "Statement")
	var b strings.Builder
	for i, c := range name {
		if i > 0 && unicode.IsUpper(c) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// databaseOf gives the database that a statement changes or asks about: the one
// that it names, or the request's.
func (r *Request) databaseOf(stmt influxql.Statement) string {
	switch stmt := stmt.(type) {
	case *influxql.CreateDatabaseStatement:
		return stmt.Name
	case *influxql.DropDatabaseStatement:
		return stmt.Name
	case *influxql.GrantStatement:
		return stmt.On
	case *influxql.RevokeStatement:
		return stmt.On
	case *influxql.CreateRetentionPolicyStatement:
		return stmt.Database
	case *influxql.AlterRetentionPolicyStatement:
		return stmt.Database
	case *influxql.DropRetentionPolicyStatement:
		return stmt.Database
	case *influxql.CreateContinuousQueryStatement:
		return stmt.Database
	case *influxql.DropContinuousQueryStatement:
		return stmt.Database
	case *influxql.CreateSubscriptionStatement:
		return stmt.Database
	case *influxql.DropSubscriptionStatement:
		return stmt.Database
	}
	return r.Database
}
