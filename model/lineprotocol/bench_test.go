package lineprotocol

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// tsbs gives lines in the form of TSBS cpu-only: 10 tags and 10 integers.
func tsbs(hosts, points int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	fields := []string{"user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"}
	var b bytes.Buffer
	for p := range points {
		for h := range hosts {
			fmt.Fprintf(&b, "cpu,arch=x86,datacenter=eu-central-1a,hostname=host_%d,os=Ubuntu16.04LTS,rack=%d,region=eu-central-1,service=%d,service_environment=production,service_version=1,team=SF ", h, h%100, h%20)
			for i, f := range fields {
				if i > 0 {
					b.WriteByte(',')
				}
				fmt.Fprintf(&b, "usage_%s=%di", f, rng.IntN(101))
			}
			fmt.Fprintf(&b, " %d\n", 1451606400000000000+int64(p)*10_000_000_000)
		}
	}
	return b.Bytes()
}

// BenchmarkParse parses batches of 5,000 lines of known series.
func BenchmarkParse(b *testing.B) {
	for _, hosts := range []int{100, 5000} {
		b.Run(fmt.Sprintf("hosts=%d", hosts), func(b *testing.B) {
			body := tsbs(hosts, 5000/hosts)
			cfg := DefaultConfig()
			cfg.Workers = 1
			p := NewParser(cfg)
			run := func() {
				r, err := p.Parse(body, Options{Now: time.Unix(0, 0)})
				if err != nil || r.Err != nil {
					b.Fatal(err, r.Err)
				}
				r.Release()
			}
			run()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50000, "ns/value")
		})
	}
}

// BenchmarkUnordered parses bodies of 5,000 lines out of 300,000 series, in
// another order each time.
func BenchmarkUnordered(b *testing.B) {
	const hosts = 300_000
	lines := bytes.SplitAfter(tsbs(hosts, 1), []byte("\n"))[:hosts]
	cfg := DefaultConfig()
	cfg.Workers = 1
	p := NewParser(cfg)
	run := func(body []byte) {
		r, err := p.Parse(body, Options{Now: time.Unix(0, 0)})
		if err != nil || r.Err != nil {
			b.Fatal(err, r.Err)
		}
		r.Release()
	}
	run(bytes.Join(lines, nil))
	rng := rand.New(rand.NewPCG(3, 4))
	bodies := make([][]byte, 20)
	for i := range bodies {
		for range 5000 {
			bodies[i] = append(bodies[i], lines[rng.IntN(hosts)]...)
		}
	}
	for i := 0; b.Loop(); i++ {
		run(bodies[i%len(bodies)])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/row")
}

// BenchmarkNewSeries parses the first line of each of 5,000 series.
func BenchmarkNewSeries(b *testing.B) {
	body := tsbs(5000, 1)
	cfg := DefaultConfig()
	cfg.Workers = 1
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewParser(cfg).Parse(body, Options{Now: time.Unix(0, 0)})
		if err != nil || r.Err != nil {
			b.Fatal(err, r.Err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/series")
}

// BenchmarkLibrary walks the same lines with the library's decoder, which
// stores nothing.
func BenchmarkLibrary(b *testing.B) {
	body := tsbs(100, 50)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		d := lineprotocol.NewDecoderWithBytes(body)
		for d.Next() {
			if _, err := d.Measurement(); err != nil {
				b.Fatal(err)
			}
			for {
				if key, _, err := d.NextTag(); err != nil || key == nil {
					break
				}
			}
			for {
				if key, _, err := d.NextField(); err != nil || key == nil {
					break
				}
			}
			if _, err := d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50000, "ns/value")
}
