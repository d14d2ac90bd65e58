package audit

// Event is one thing that is recorded. Empty fields are left out.
type Event struct {
	Action    string // in lower case, as "log in", "drop database"
	User      string // the name, as it was claimed where a log-in failed
	Address   string // of the client
	Request   string // its id
	Database  string
	Statement string // without passwords: see query.Redact
	Outcome   string // "ok", "refused", or the error
}
