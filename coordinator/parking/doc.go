// Package parking keeps batches of consistency "any" that no owner could be
// sent, until one can: durable, bounded by bytes, number and age, and in order.
// It decides nothing: package coordinator parks, stamps and delivers.
//
// A batch takes effect when it is delivered. It is parked without id and
// version; Stamp makes those durable before the first send, so that after a
// crash it is sent again as the same batch. What was delivered may be sent
// again after a crash, which owners see by its id.
//
// The log is a directory of files that are only appended to. A start begins a
// new file, and a file goes when it is the oldest and nothing in it is left to
// be delivered. FORMAT.md shows the bytes.
package parking
