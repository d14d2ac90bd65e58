package query

import (
	"strings"
	"time"

	"github.com/influxdata/influxql"
)

// Request is the text of one client request and how to run it.
type Request struct {
	Text     string
	Params   map[string]any // values for $name, as encoding/json gives them with UseNumber resolved
	Database string         // for statements that name none
	Policy   string         // for measurements that name none; "" is the database's default
	// ReadOnly is set where a statement that changes something should not come,
	// as in a GET; such statements run, and bring a warning.
	ReadOnly bool
	// Consistency and Partial are how reads are answered, see Read.
	Consistency ReadConsistency
	Partial     bool
	// Extensions asks for answers that InfluxDB does not give, where its own would
	// be less: time in the WHERE of a SHOW chooses by point instead of by shard, and
	// a SELECT that finds nothing says where the measurement has data. The server's
	// Config.Extensions has the same effect.
	Extensions bool
	// Level is how many owners must have the points of SELECT … INTO, as a client
	// names it in a write; "" is the server's default.
	Level string
	// ChunkSize is how many rows each piece of a series has, except its last; 0
	// is any number, as they come.
	ChunkSize int
	// Now is what now() means; the zero Time is the current time.
	Now time.Time

	// User is who asks; nil is anyone, who may do everything: authentication is
	// off. Address is where the request came from and ID how it is called in
	// logs; both are for the audit log.
	//
	// Renew gives User with the rights that he has after all changes made before,
	// on any node; nil: there are no others. It is asked before he is refused.
	User    User
	Renew   func() (User, error)
	Address string
	ID      string
	// Foreign is set where a browser asks for a page of another origin. It may not
	// run what changes something.
	Foreign bool

	guard      func() error // asked before each write of SELECT … INTO; nil: none
	continuous bool         // not a client's, but a run of a continuous query
}

// DefaultChunkSize is the ChunkSize for clients that want pieces of no certain
// size.
const DefaultChunkSize = 10000

// parse checks and parses the text.
func (r *Request) parse() (*influxql.Query, error) {
	text, edits, err := prepare(r.Text, r.Extensions)
	if err != nil {
		return nil, err
	}
	if err := checkParams(r.Params); err != nil {
		return nil, err
	}
	p := influxql.NewParser(strings.NewReader(text))
	if r.Params != nil {
		p.SetParams(r.Params)
	}
	q, err := p.ParseQuery()
	if err != nil {
		return nil, parseError(err, r.Text, edits)
	}
	for _, stmt := range q.Statements {
		withoutKnownTime(stmt)
	}
	return q, nil
}
