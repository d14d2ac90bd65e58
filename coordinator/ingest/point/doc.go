// Package point makes columnar batches of single points. Its types are Point,
// what the decoders of Graphite, OpenTSDB and collectd give, and Rows, what
// becomes one model.Batch.
package point
