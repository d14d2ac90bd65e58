package query

import (
	"context"

	"github.com/varvedb/varve/query/memory"
)

// Quotas bounds what the requests of one user, and those on one database, take
// together, and can be changed while they run. It is safe for concurrent use.
// coordinator/quota implements it.
type Quotas interface {
	// Admit waits until a request may run, of a user or of anyone (""). It fails
	// with model.ErrOverloaded where too many wait. The Share's Leave must follow.
	Admit(ctx context.Context, user string, databases []string) (Share, error)
	// Spend waits until so many points of SELECT … INTO may be written.
	Spend(ctx context.Context, user, database string, points int) error
}

// Share is what a request was let in with.
type Share struct {
	// Memory is what its statements draw on besides the node's pool.
	Memory []*memory.Pool
	// Leave says that the request has ended.
	Leave func()
}
