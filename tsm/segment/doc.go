// Package segment owns the immutable files of a shard: many series of many
// measurements, sorted, compressed and summarised.
//
// A Writer takes rows series by series in ascending (measurement, series) order
// and makes a file; a Reader opens one; a Cursor walks or seeks the series of
// one measurement and decodes their granules. What a cursor turns to is brought
// into memory first, so that no goroutine waits for a disk on a page fault, where
// the system can tell.
//
// # Flush and compaction
//
//	w := segment.NewWriter(f, segment.Options{Versioned: true})
//	for each measurement, ascending by name:
//		for each series, ascending by id:
//			w.Append(measurement, id, &segment.Rows{…}) // again for more of its rows
//	meta, err := w.Finish() // then f.Sync, rename, sync of the directory: the caller's
//
// A merge of files whose granules do not overlap need not decode them:
//
//	if c.Alone(g) {
//		err = w.Copy(measurement, id, c, g, versions) // c is a Cursor of the source
//	}
//
// # Scan
//
//	var c segment.Cursor
//	c.Reset(r, measurement, fields)
//	if ok, err := c.Seek(id); ok {
//		for g := range c.Within(timeRange) {
//			stats, exact, err := c.Stats(g, field) // no decoding
//			times, err := c.Times(g)
//			column, err := c.Column(g, field)
//		}
//	}
//
// What a file holds never changes. Which files make up a shard, what deletes
// hide and which of two versions wins is left to package tsm.
package segment
