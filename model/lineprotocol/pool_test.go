package lineprotocol

import (
	"bytes"
	"fmt"
	"testing"
)

func TestWhatAnUnusuallyLargeBodyNeededIsNotKept(t *testing.T) {
	p := testParser(nil)
	release := func(series int) int {
		var body bytes.Buffer
		for i := range series {
			fmt.Fprintf(&body, "m,t=%d v=1 1\n", i)
		}
		r, err := p.Parse(body.Bytes(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		r.Release()
		return p.pool.mu.bytes
	}
	usual := release(10_000)
	if usual < 10_000*(seriesSize+8+8+4) {
		t.Errorf("of a usual body %d bytes are kept for the next", usual)
	}
	if kept := release(300_000); kept > 12<<20 { // the list of series alone is as much
		t.Errorf("of a body of 300,000 series %d bytes are kept", kept)
	}
}
