// Package embedded has the real metadata store: etcd, started in this process
// or reached over the network. In this process it opens no port; only the
// Store of package meta talks to it.
package embedded
