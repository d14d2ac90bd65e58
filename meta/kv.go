package meta

import (
	"context"
	"time"
)

// KV is what a Store needs of etcd. The real one is in meta/embedded, one in
// memory in meta/metatest; the suite there says in full what is promised. All
// methods may be called at the same time, and block until ctx ends at most.
type KV interface {
	// Range reads, linearizably, all keys that begin with prefix, in order of
	// their bytes, and the revision of the whole store at which it read.
	Range(ctx context.Context, prefix string) ([]Item, int64, error)

	// Get reads one key, linearizably; ok is false when there is none.
	Get(ctx context.Context, key string) (item Item, ok bool, err error)

	// Txn applies all ops at one revision if all conditions hold, and says
	// whether they held and at which revision. A key may be in one op only.
	// At most MaxOps conditions, and as many ops.
	//
	// Not every answer comes back: what ended with an error may have been done,
	// or may be done later, and a try that was repeated unnoticed finds that
	// its conditions do not hold because it was done. So a change carries
	// conditions which make it void when it comes too late, and whoever makes
	// it looks again what is there before he calls it lost.
	Txn(ctx context.Context, when []Condition, ops []Op) (ok bool, revision int64, err error)

	// Watch sends all changes under prefix from revision from on, those of one
	// revision together, in order, until ctx ends or the watch breaks, of
	// which the last Changes tells. The channel is closed after that. When
	// others than these have made the revision grow, it says so within about a
	// second, by a Changes without any.
	Watch(ctx context.Context, prefix string, from int64) <-chan Changes

	// Grant makes a lease, of a second at least; keys put with it vanish when
	// it ends.
	Grant(ctx context.Context, ttl time.Duration) (lease int64, err error)
	// Renew gives a lease its full time again; model.ErrNotFound says that it
	// has ended.
	Renew(ctx context.Context, lease int64) error
	// Revoke ends a lease; model.ErrNotFound says that it had ended before.
	Revoke(ctx context.Context, lease int64) error
}

// MaxOps is how many operations and conditions a Store puts into one
// transaction. etcd takes 128 by default.
const MaxOps = 100

// Item is a key with its value. Created and Modified are revisions.
type Item struct {
	Key               string
	Value             []byte
	Created, Modified int64
}

// Condition holds when the key was last modified, or created, at exactly that
// revision; 0 says that there is no such key.
type Condition struct {
	Key      string
	Created  bool // compare the revision of creation, not of modification
	Revision int64
}

// Op changes one key, or removes many.
type Op struct {
	Key    string
	Value  []byte
	Lease  int64 // put with this lease when not 0
	Delete bool
	Prefix bool // with Delete: all keys that begin with Key
}

// Put gives the Op that sets a key.
func Put(key string, value []byte) Op { return Op{Key: key, Value: value} }

// Delete gives the Op that removes a key.
func Delete(key string) Op { return Op{Key: key, Delete: true} }

// DeletePrefix gives the Op that removes all keys with a prefix.
func DeletePrefix(prefix string) Op { return Op{Key: prefix, Delete: true, Prefix: true} }

// Changes is what happened under a watched prefix at one or more revisions.
type Changes struct {
	Changes  []Change // in order; those of one revision are never split
	Revision int64    // all changes up to here have been sent
	Err      error    // why the watch ended; then there are no Changes
}

// Change is a key that was set, or removed.
type Change struct {
	Item    // Value is nil when the key was removed
	Removed bool
}
