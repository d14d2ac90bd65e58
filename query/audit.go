package query

// Audit is told of statements that change something, or that show what is for
// administrators, after they ran or were refused. Package coordinator/audit
// implements it.
type Audit interface {
	// Statement is told of one statement of r. The text has no passwords; err is
	// nil where it succeeded.
	Statement(r *Request, action, database, text string, err error)
}

// Audit has statements told to a. It is called before the first request.
func (e *Executor) Audit(a Audit) { e.audit = a }
