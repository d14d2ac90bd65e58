// Package embedded has the real metadata store: etcd, as a member in this process
// (Server) or reached over the network (Client), both as a meta.KV.
//
// A member that is alone opens no port. With ports it is one of a cluster of at
// most three: others join it (Client.Join), get their vote when they are in sync,
// and may come back at another address. Nodes beyond that are clients only.
//
// A Client asks one endpoint after the other within the time that its caller
// has, so that a request outlives any one member that is dead, stopped or cut
// off; its watches move on by themselves.
//
// Nothing that happens to etcd ends this process: see failure.
package embedded
