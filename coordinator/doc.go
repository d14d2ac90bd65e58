// Package coordinator turns one request of a client into requests to data
// nodes: one write to the owners of the shards it touches, one query to one
// owner of each shard in its range, statements about the cluster to meta.
//
// Writer stamps batches and sends them to the owners as package fanout decides;
// what no owner can be sent it parks (package parking), if the client allows.
// Reader implements query.Storage: it chooses replicas, fails over, asks a
// second one when the first is slow, and waits for one that can prove to hold
// all. Catalog implements query.Catalog, Queries implements query.Nodes. Nodes
// finds the data nodes, the one in this process and those behind rpc.
//
// The HTTP endpoints are in coordinator/httpapi, the language in query.
package coordinator
