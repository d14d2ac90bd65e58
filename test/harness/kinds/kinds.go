// Package kinds makes the kinds of data that sizes and speeds are measured on:
// what sensors, machines and programs send, each as one field. Everything that
// measures kinds takes them from here, so that figures can be compared.
package kinds

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/varvedb/varve/model"
)

// Kind is one kind of data.
type Kind struct {
	Name string
	Type model.FieldType
	// fill appends n rows of one series. What numbers it keeps lives in its
	// frame, so series are independent.
	fill func(c *model.Column, r *rand.Rand, n int)
}

// Column gives the first rows of a series, every one with a value: the same for
// the same numbers. The rows are meant to be ten seconds apart.
func (k Kind) Column(series, rows int) *model.Column {
	c := &model.Column{Field: model.Field{Name: "value", Type: k.Type}}
	k.fill(c, rand.New(rand.NewPCG(123, uint64(series))), rows)
	return c
}

// All gives every kind.
func All() []Kind {
	return []Kind{
		{"TSBS cpu", model.Integer, integers(func(r *rand.Rand) func() int64 {
			v := 100 * r.Float64()
			return func() int64 {
				v = min(max(v+r.NormFloat64(), 0), 100)
				return int64(v)
			}
		})},
		{"TSBS cpu as floats", model.Float, floats(func(r *rand.Rand) func() float64 {
			v := 100 * r.Float64()
			return func() float64 {
				v = min(max(v+r.NormFloat64(), 0), 100)
				return math.Floor(v)
			}
		})},
		{"temperature, 1 digit", model.Float, floats(func(r *rand.Rand) func() float64 {
			v := 15 + 10*r.NormFloat64()
			return func() float64 {
				v += 0.1 * r.NormFloat64()
				return digits(v, 10)
			}
		})},
		{"sensor, 2 digits", model.Float, floats(func(r *rand.Rand) func() float64 {
			level := 400 + 100*r.Float64()
			return func() float64 { return digits(level+0.3*r.NormFloat64(), 100) }
		})},
		{"price, 2 digits", model.Float, floats(func(r *rand.Rand) func() float64 {
			v := 50 + 200*r.Float64()
			return func() float64 {
				if r.IntN(2) == 0 { // every other time nobody trades
					v = max(v+0.05*r.NormFloat64(), 1)
				}
				return digits(v, 100)
			}
		})},
		{"sine and noise, 4 digits", model.Float, floats(func(r *rand.Rand) func() float64 {
			phase := 2 * math.Pi * r.Float64()
			return func() float64 {
				phase += 2 * math.Pi / 8640 // a day
				return digits(100*math.Sin(phase)+r.NormFloat64(), 1e4)
			}
		})},
		{"counter, step 0 to 5000", model.Integer, integers(func(r *rand.Rand) func() int64 {
			v := r.Int64N(1 << 40)
			return func() int64 {
				v += r.Int64N(5001)
				return v
			}
		})},
		{"counter, mostly idle", model.Integer, integers(func(r *rand.Rand) func() int64 {
			v := r.Int64N(1 << 20)
			return func() int64 {
				if r.IntN(100) == 0 {
					v += 1 + r.Int64N(10)
				}
				return v
			}
		})},
		{"gauge of 0 and 1", model.Integer, integers(func(r *rand.Rand) func() int64 {
			v := r.Int64N(2)
			return func() int64 {
				if r.IntN(1000) == 0 {
					v = 1 - v
				}
				return v
			}
		})},
		{"memory, pages of 4096 bytes", model.Integer, integers(func(r *rand.Rand) func() int64 {
			pages := 1<<20 + r.Int64N(1<<20)
			return func() int64 {
				if r.IntN(3) > 0 {
					pages += int64(20 * r.NormFloat64())
				}
				return pages * 4096
			}
		})},
		{"constant", model.Float, floats(func(r *rand.Rand) func() float64 {
			v := digits(100*r.Float64(), 10)
			return func() float64 { return v }
		})},
		{"random walk, full doubles", model.Float, floats(func(r *rand.Rand) func() float64 {
			v := 100 * r.Float64()
			return func() float64 {
				v += r.NormFloat64()
				return v
			}
		})},
		{"gauss, full doubles", model.Float, floats(func(r *rand.Rand) func() float64 { return r.NormFloat64 })},
		{"ratios, full doubles", model.Float, floats(func(r *rand.Rand) func() float64 {
			return func() float64 {
				total := 1000 + r.IntN(100)
				return float64(r.IntN(total)) / float64(total)
			}
		})},
		{"booleans", model.Boolean, booleans},
		{"strings, five states", model.String, states},
		{"strings, log lines", model.String, logLines},
		{"strings, identifiers", model.String, identifiers},
	}
}

// digits rounds v to a multiple of 1/scale, as an instrument does that prints
// so many decimal digits.
func digits(v, scale float64) float64 { return math.Round(v*scale) / scale }

func floats(series func(*rand.Rand) func() float64) func(*model.Column, *rand.Rand, int) {
	return func(c *model.Column, r *rand.Rand, n int) {
		next := series(r)
		for range n {
			c.AppendBits(math.Float64bits(next()))
		}
	}
}

func integers(series func(*rand.Rand) func() int64) func(*model.Column, *rand.Rand, int) {
	return func(c *model.Column, r *rand.Rand, n int) {
		next := series(r)
		for range n {
			c.AppendBits(uint64(next()))
		}
	}
}

// booleans are alarms: seldom raised, and then for a while.
func booleans(c *model.Column, r *rand.Rand, n int) {
	raised := uint64(0)
	for range n {
		if r.IntN([]int{500, 20}[raised]) == 0 {
			raised = 1 - raised
		}
		c.AppendBits(raised)
	}
}

func states(c *model.Column, r *rand.Rand, n int) {
	names := []string{"running", "stopped", "starting", "degraded", "unknown"}
	state := 0
	for range n {
		if r.IntN(50) == 0 {
			state = r.IntN(len(names))
		}
		c.AppendText([]byte(names[state]))
	}
}

func logLines(c *model.Column, r *rand.Rand, n int) {
	paths := []string{"/", "/login", "/api/v1/items", "/api/v1/users", "/static/app.js", "/health"}
	var line []byte
	for range n {
		line = fmt.Appendf(line[:0], "10.%d.%d.%d - - \"%s %s HTTP/1.1\" %d %d %dms",
			r.IntN(4), r.IntN(256), r.IntN(256), []string{"GET", "GET", "GET", "POST"}[r.IntN(4)],
			paths[r.IntN(len(paths))], []int{200, 200, 200, 304, 404, 500}[r.IntN(6)], r.IntN(20000), 1+r.IntN(400))
		c.AppendText(line)
	}
}

// identifiers are traces: 16 random bytes in hexadecimal.
func identifiers(c *model.Column, r *rand.Rand, n int) {
	var id []byte
	for range n {
		id = fmt.Appendf(id[:0], "%016x%016x", r.Uint64(), r.Uint64())
		c.AppendText(id)
	}
}
