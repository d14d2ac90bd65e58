// Package overload has tests of a server that is asked for more than it can give,
// or that has little: goodput above its capacity, clients that drip, requests that
// cost much more than their size, tenants beside each other, a small machine. They
// measure, and run where they are asked to.
package overload
