package lineprotocol

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
)

// numbered gives n pieces with commas between, in which %d is the number.
func numbered(n int, format string) string {
	pieces := make([]string, n)
	for i := range pieces {
		pieces[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(pieces, ",")
}

func TestPointsWithTooMuchAreDroppedWithTheLimitNamed(t *testing.T) {
	for _, c := range []struct {
		name, line, reason string
	}{
		{"as many fields as may be", "m " + numbered(4096, "f%d=1") + " 1", ""},
		{"too many fields", "m " + numbered(4097, "f%d=1") + " 1", `max-fields-per-point limit exceeded (4097/4096): measurement="m"`},
		{"too many fields with escapes", "m " + numbered(4097, `\ f%d=1`) + " 1", `max-fields-per-point limit exceeded (4097/4096): measurement="m"`},
		{"far too many fields", "m " + numbered(100_000, "f%d=1") + " 1", `max-fields-per-point limit exceeded (100000/4096): measurement="m"`},
		{"as many tags as may be", "m," + numbered(256, "t%d=x") + " f=1 1", ""},
		{"too many tags", "m," + numbered(257, "t%d=x") + " f=1 1", `max-tags-per-point limit exceeded (257/256): measurement="m"`},
		{"too many tags with escapes", "m," + numbered(257, `\ t%d=x`) + " f=1 1", `max-tags-per-point limit exceeded (257/256): measurement="m"`},
	} {
		p := testParser(nil)
		for range 2 { // what was learnt must not lead around a limit
			got := parse(t, p, []byte("good f=1 1\n"+c.line), Options{})
			if got.Reason != c.reason || got.Err != "" || len(got.Rows["good"]) != 1 || (c.reason == "") != (len(got.Rows["m"]) == 1) {
				t.Errorf("%s: got %d rows, %q, %q, want the reason %q", c.name, len(got.Rows["m"]), got.Reason, got.Err, c.reason)
			}
		}
	}
}

// Fields that are all known go another way than new ones.
func TestKnownFieldsAreCountedToo(t *testing.T) {
	p := testParser(nil)
	for i := range 2 {
		parse(t, p, []byte("m "+numbered(4096, fmt.Sprintf("f%d%%d=1", i))+" 1"), Options{})
	}
	got := parse(t, p, []byte("m "+numbered(4096, "f0%d=1")+","+numbered(4096, "f1%d=1")+" 1"), Options{})
	if want := `max-fields-per-point limit exceeded (8192/4096): measurement="m"`; got.Reason != want {
		t.Errorf("got %q, want %q", got.Reason, want)
	}
}

func TestLinesThatAreTooLongAreRefused(t *testing.T) {
	p := testParser(nil)
	long := numbered(3, "%d=\""+strings.Repeat("x", 1<<20)+"\"")
	for range 2 {
		got := parse(t, p, []byte("good f=1 1\nm "+long+" 1"), Options{})
		if want := fmt.Sprintf("max line length exceeded: %d > 2097152", len(long)+len("m  1")); !strings.HasSuffix(got.Err, want) || len(got.Rows["good"]) != 1 {
			t.Errorf("got …%q, want %q", got.Err[max(0, len(got.Err)-80):], want)
		}
	}
}

func TestBodyWithTooManyPointsIsRefusedWhole(t *testing.T) {
	p := testParser(func(c *Config) { c.MaxPoints = 1000 })
	if got := parse(t, p, []byte(strings.Repeat("m f=1 1\n", 1000)), Options{}); got.Err != "" {
		t.Errorf("as many as may be: %q", got.Err)
	}
	_, err := p.Parse([]byte(strings.Repeat("m f=1 1\n", 1001)), Options{})
	if want := "too many points in one write, at most 1000: send it in smaller parts"; !errors.Is(err, model.ErrTooLarge) || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}
