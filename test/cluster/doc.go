// Package cluster looks at a cluster of real servers from outside: they are
// killed, stopped, cut off and restarted while clients write and read, and every
// answer is compared with what was acknowledged.
package cluster
