package subscriber

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/model/lineprotocol"
)

// parse gives the batch of line protocol.
func parse(t testing.TB, text string) *model.Batch {
	t.Helper()
	cfg := lineprotocol.DefaultConfig()
	cfg.Unsigned = true
	r, err := lineprotocol.NewParser(cfg).Parse([]byte(text), lineprotocol.Options{Now: time.Unix(0, 0)})
	if err != nil || r.Err != nil {
		t.Fatalf("parse %q: %v, %v", text, err, r.Err)
	}
	return r.Batch
}

// lines gives a batch as line protocol again.
func lines(b *model.Batch) string {
	var out bytes.Buffer
	encode(b, func(p *payload) bool {
		out.Write(p.text)
		return true
	})
	return out.String()
}

func TestPointsAreWrittenAsInfluxDBWritesThem(t *testing.T) {
	const text = `cpu,host=a\ b,zone=x\,y usage=1.5,n=3i,u=7u,ok=true,msg="a \"quoted\" \\ word" 1700000000000000001
m\ 1 f\ \=\,x=1000000 -5
m\ 1 f\ \=\,x=0.000001 7
multi s="two
lines" 9
`
	if got := lines(parse(t, text)); got != text {
		t.Errorf("got\n%swant\n%s", got, text)
	}
}

func TestVeryLongNumbersHaveAnExponent(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{{0, "0"}, {-1e20, "-100000000000000000000"}, {1e300, "1e+300"}, {5e-324, "5e-324"}, {math.MaxFloat64, "1.7976931348623157e+308"}} {
		if got := string(appendFloat(nil, c.v)); got != c.want {
			t.Errorf("%v is written as %s, want %s", c.v, got, c.want)
		}
	}
}

func TestALargeBatchIsCutIntoPayloadsAtPoints(t *testing.T) {
	var text strings.Builder
	for i := range 3000 {
		text.WriteString("log,n=" + strings.Repeat("x", i%3) + "y msg=\"" + strings.Repeat("z", 1000) + "\" 1\n")
	}
	b := parse(t, text.String())
	points := 0
	var sizes []int
	encode(b, func(p *payload) bool {
		if p.text[len(p.text)-1] != '\n' || p.ends[len(p.ends)-1] != len(p.text) {
			t.Errorf("a payload ends within a point")
		}
		points += p.points()
		sizes = append(sizes, len(p.text))
		return true
	})
	if points != b.Rows() || len(sizes) != 3 || sizes[0] > maxPayload+2000 {
		t.Errorf("%d points in payloads of %d, want %d in three", points, sizes, b.Rows())
	}
	taken := 0
	encode(b, func(*payload) bool { taken++; return false })
	if taken != 1 {
		t.Errorf("%d payloads were made though nobody took the first", taken)
	}
}

// FuzzPointsComeBack sends what was parsed through a subscription's text.
func FuzzPointsComeBack(f *testing.F) {
	f.Add("cpu,host=a usage=1.5,n=3i 1\n")
	f.Add(`m\ x,t\,=v\  f\==-0.1e-7,s="\\\"" 1` + "\n")
	f.Add("a,b=c\\\\ d=\"e\\\\\" 1\n#x y=true 2\n")
	parser := lineprotocol.NewParser(lineprotocol.DefaultConfig())
	again := func(text []byte) string {
		r, err := parser.Parse(text, lineprotocol.Options{Now: time.Unix(0, 0)})
		if err != nil || r.Err != nil || len(r.Batch.Tables) == 0 {
			return ""
		}
		return lines(r.Batch)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := again([]byte(text))
		if once == "" || strings.HasPrefix(once, "#") || strings.Contains(once, "\n#") {
			return // InfluxDB, too, writes a measurement that begins a comment
		}
		if twice := again([]byte(once)); twice != once && !strings.Contains(text, `\`) {
			t.Errorf("%q\nbecame %q\nand then %q", text, once, twice)
		}
	})
}
