// Package continuous runs the continuous queries of the cluster.
//
// All nodes that take queries have a Runner; a lease in the metadata store lets
// one of them act. A schedule says when a query is due and over which range it
// runs then; the ranges are InfluxDB's. How far each query has come, its mark,
// is kept in the metadata store under the fence of the lease, so the next
// runner goes on where this one ended: what was missed is caught up, the oldest
// first, some windows at a time, while other queries go on.
//
// A run may be repeated at any time: over the same rows it writes the same
// points. A runner whose lease has run out writes no more; what it wrote before
// is what the next one writes again.
//
// What a query is, and how its SELECT … INTO runs, is in package query.
package continuous
