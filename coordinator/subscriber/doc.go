// Package subscriber sends copies of writes to the destinations of
// subscriptions, as line protocol over HTTP, HTTPS or UDP.
//
// The node that took a write sends it, after the write was acknowledged at its
// level. A Service has a queue for each destination of a subscription to ALL,
// and one for all the destinations of a subscription to ANY. A queue is in
// memory and bounded by bytes: what does not fit, and what a destination does
// not take in a few tries, is dropped and counted. A write never waits for a
// destination, and one to a policy without subscriptions costs nothing.
//
// The addresses of this machine and private ones are refused unless the
// configuration allows them. It is the address that is dialled that counts, after
// a name was resolved, so no name server can talk a server into reaching what
// only the server can reach; redirects and proxies are not followed.
package subscriber
