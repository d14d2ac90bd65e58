package httpapi

import "testing"

func TestBuffersHaveTheRoomAskedFor(t *testing.T) {
	var b buffers
	for _, n := range []int64{0, 1, minBufferBytes - 1, minBufferBytes, minBufferBytes + 1, 100_000, maxBufferBytes, maxBufferBytes + 1} {
		for range 2 {
			p := b.take(n)
			if got := int64(len(*p)); got < n || got > max(minBufferBytes, 2*n) {
				t.Errorf("%d bytes asked for, %d given", n, got)
			}
			b.give(p)
		}
	}
}
