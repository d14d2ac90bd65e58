// Command varved is the server: etcd or a client of it, the shards of this
// node, the coordinator and its HTTP endpoints in one process.
//
// Settings come from flags, the environment and a TOML file, in this order of
// precedence, under the same names: --http-bind-address is
// VARVE_HTTP_BIND_ADDRESS and
//
//	[http]
//	bind-address = "127.0.0.1:8086"
package main
