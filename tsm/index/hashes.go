package index

import (
	"runtime/debug"
	"slices"

	"github.com/varvedb/varve/model"
)

// Hashes gives the hashes of the canonical keys of series, which ascend and are
// all there. Errors are of kind model.ErrCorrupt.
func (v *View) Hashes(series []uint32) ([]model.SeriesHash, error) {
	all := make([]model.SeriesHash, 0, len(series))
	for _, f := range v.files {
		n, _ := slices.BinarySearch(series, f.end)
		var err error
		if all, err = f.appendHashes(all, series[:n]); err != nil {
			return nil, err
		}
		series = series[n:]
	}
	hashes, _ := v.delta.snapshot()
	for _, id := range series {
		all = append(all, hashes[id-v.delta.first])
	}
	return all, nil
}

func (f *File) appendHashes(dst []model.SeriesHash, series []uint32) (_ []model.SeriesHash, err error) {
	if len(series) == 0 {
		return dst, nil
	}
	defer f.guard(debug.SetPanicOnFault(true), &err)
	b, err := f.part(partHashes)
	if err != nil {
		return nil, err
	}
	hashes := hashesOf(b)
	for _, id := range series {
		dst = append(dst, hashes[id-f.first])
	}
	return dst, nil
}
