// Package model holds the words that every other package speaks: series keys
// and their hashes, tags, field types, columns, batches, predicates, versions
// and the kinds of error. It knows nothing of files, networks or queries.
package model
