// Package coordinator turns one request of a client into requests to data
// nodes: one write to the owners of the shards it touches, one query to one
// owner of each shard in its range, statements about the cluster to meta.
//
// Writer stamps and distributes batches, Reader implements query.Storage and
// Catalog implements query.Catalog. Clock gives the versions, which never go
// backwards on one node, also not over a restart.
//
// The HTTP endpoints are in coordinator/httpapi, the language in query.
package coordinator
