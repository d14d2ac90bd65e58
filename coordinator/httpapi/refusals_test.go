package httpapi

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheFirstBadLinesAreLoggedAndAllAreCounted(t *testing.T) {
	b := newBench(t, nil)
	var body strings.Builder
	for i := range 50 {
		fmt.Fprintf(&body, "bad%d\n", i)
	}
	fmt.Fprintf(&body, "m,time=1 v=1\nm v=1i2 1\nm v=1 x\n")
	b.do("POST", "/write?db=db", body.String())
	logged := b.logged.String()
	for text, want := range map[string]bool{"bad0'": true, "bad9'": true, "bad10'": false, `dropped=1 reason="invalid tag key`: true} {
		if strings.Contains(logged, text) != want {
			t.Errorf("%s is logged: %v\n%s", text, !want, logged)
		}
	}
	metrics := b.do("GET", "/metrics", "").Body.String()
	for reason, n := range map[string]int{"missing fields": 50, "invalid tag key": 1, "invalid number": 1, "bad timestamp": 1} {
		if want := fmt.Sprintf("http_write_refused_total{reason=%q} %d\n", reason, n); !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}

	b = newBench(t, nil)
	for range 1000 {
		b.do("POST", "/write?db=db", "CREATE USER u WITH PASSWORD 'canary'\nlong"+strings.Repeat("x", 10_000))
	}
	if logged := b.logged.String(); strings.Contains(logged, "canary") || len(logged) > 10_000 {
		t.Errorf("%d bytes are logged: %.1000s", len(logged), logged)
	}
}
