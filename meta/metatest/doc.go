// Package metatest has a meta.KV in memory, for tests that need metadata but
// no etcd, and the suite that says what a KV promises, which both it and the
// real etcd pass.
package metatest
