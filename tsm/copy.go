package tsm

// copies is what a rewrite took over without decoding it.
type copies struct {
	rows int64
}
