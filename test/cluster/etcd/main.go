// Command etcd is a real etcd, for tests of a cluster that does not embed it.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
