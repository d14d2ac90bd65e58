// Package wal is the log of one shard: what makes a batch durable before it is
// answered.
//
// A Log is a directory of numbered files that grow as they are written. Append
// writes a batch to the newest; Sync returns when it is durable, and callers
// that wait at the same time share one sync. Open gives every batch that may
// have been acknowledged back, in order. Each file carries the key of every
// series at its first use in that file, so that it can be read alone.
//
// Flushing batches into segments, and knowing which batches are duplicates, is
// for the shard; a batch in binary form is of package model. FORMAT.md shows
// the bytes.
package wal
