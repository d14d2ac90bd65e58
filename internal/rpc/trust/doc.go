// Package trust decides which node is which: the authority that signs the
// certificates of a cluster, the certificates themselves, and the tokens that
// let a new node in.
//
// The first node makes an Authority in its data directory. Its certificate is
// in all nodes, its key in those that run the metadata, so that any of them
// can let others in. A node's certificate names the cluster and the node:
//
//	varve://CLUSTER/node/ID
//
// and, for etcd, which looks for a host, the host name ServerName in place of
// the addresses of a node, which change.
//
// A Token has the fingerprint of the authority, a secret and an expiry. The
// new node knows by the fingerprint whom it talks to, and by the proofs that
// both sides give, over nonces of both and the certificate of the TLS
// connection, each knows that the other has the secret; it is never sent.
//
// A Keyring is the files of one node, its own or those from a configuration,
// as TLS for package rpc.
package trust
