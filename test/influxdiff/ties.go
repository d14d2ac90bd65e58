package main

import (
	"regexp"
	"strings"
)

var cutRE = regexp.MustCompile(`(?i)\b(S?LIMIT|S?OFFSET)\b`)

// cutsRows tells whether an answer may begin or end among rows of equal time.
func (k *testCase) cutsRows() bool {
	_, chunked := k.Opt["chunked"]
	return chunked || cutRE.MatchString(k.Body) || strings.Contains(k.Path, "LIMIT")
}

// tied tells whether two lists of rows, with the time first, differ in nothing but
// the order of rows of equal time. Where the answer was cut, the rows of its
// first and of its last time may be others.
func (w *walker) tied(a, b []any) bool {
	for lo := 0; lo < len(a); {
		hi := lo
		for ; hi < len(a); hi++ {
			x, y := rowTime(a[hi]), rowTime(b[hi])
			if x == nil || !w.equal(x, y) {
				return false
			}
			if !w.equal(x, rowTime(a[lo])) {
				break
			}
		}
		if edge := lo == 0 || hi == len(a); !(w.cut && edge) && !w.equal(sorted(a[lo:hi]), sorted(b[lo:hi])) {
			return false
		}
		lo = hi
	}
	return true
}

func rowTime(row any) any {
	if l, ok := row.([]any); ok && len(l) > 0 {
		return l[0]
	}
	return nil
}
