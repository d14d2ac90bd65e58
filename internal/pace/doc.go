// Package pace bounds how much passes in a second: bytes that are copied from
// other nodes, bytes that background work reads and writes. Its type is Pace.
package pace
