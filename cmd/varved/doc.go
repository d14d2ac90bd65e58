// Command varved is the server: etcd or a client of it, the shards of this
// node, the coordinator and its HTTP endpoints in one process.
package main
