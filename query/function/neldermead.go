package function

import "math"

// simplex is Nelder and Mead's method (Computer Journal 7, 1965) as InfluxDB
// runs it. The figures must be the same to the last digits, and the method is
// not stable: the order of the additions counts, and so does that cost may
// change the vertex that it is given.
type simplex struct {
	cost     func(x []float64) (float64, error)
	vertices [][]float64
	costs    []float64
	center   []float64
}

const maxRounds = 1000

// minimize gives the vertex of least cost and its cost, beginning with a
// simplex of side 1 at start. It ends when the costs' deviation is under
// epsilon, or with cost's error.
func minimize(cost func([]float64) (float64, error), start []float64, epsilon float64) (least float64, at []float64, err error) {
	n := len(start)
	s := &simplex{cost: cost, vertices: make([][]float64, n+1), costs: make([]float64, n+1), center: make([]float64, n)}
	root := math.Sqrt(float64(n + 1))
	side := float64(n) * math.Sqrt(2)
	near, far := (root-1)/side, (root-1+float64(n))/side
	for i := range s.vertices {
		v := make([]float64, n)
		copy(v, start)
		for j := range v {
			switch i {
			case 0:
			case j + 1:
				v[j] += far
			default:
				v[j] += near
			}
		}
		s.vertices[i] = v
		if s.costs[i], err = cost(v); err != nil {
			return 0, nil, err
		}
	}
	for range maxRounds {
		if err := s.round(); err != nil {
			return 0, nil, err
		}
		if s.deviation() < epsilon {
			break
		}
	}
	_, best, _ := s.rank()
	at = append([]float64(nil), s.vertices[best]...)
	least, err = cost(s.vertices[best])
	return least, at, err
}

// rank gives the vertices of most, least and second most cost. Where there is
// no second it is the least.
func (s *simplex) rank() (worst, best, second int) {
	for i, c := range s.costs {
		if c > s.costs[worst] {
			worst = i
		}
		if c < s.costs[best] {
			best = i
		}
	}
	second = best
	for i, c := range s.costs {
		if c > s.costs[second] && c < s.costs[worst] {
			second = i
		}
	}
	return worst, best, second
}

// round replaces the worst vertex, or draws all of them towards the best.
func (s *simplex) round() error {
	worst, best, second := s.rank()
	n := len(s.center)
	for j := range s.center {
		sum := 0.0
		for i, v := range s.vertices {
			if i != worst {
				sum += v[j]
			}
		}
		s.center[j] = sum / float64(n)
	}
	reflected := s.along(-1, s.vertices[worst])
	r, err := s.cost(reflected)
	if err != nil {
		return err
	}
	switch {
	case r < s.costs[best]:
		expanded := s.along(2, reflected)
		e, err := s.cost(expanded)
		if err != nil {
			return err
		}
		if e < r {
			s.set(worst, expanded, e)
		} else {
			s.set(worst, reflected, r)
		}
	case r < s.costs[second]:
		s.set(worst, reflected, r)
	}
	if r >= s.costs[second] {
		return s.contract(worst, best, second, reflected, r)
	}
	return nil
}

// contract moves the worst vertex towards the center, or all towards the best.
func (s *simplex) contract(worst, best, second int, reflected []float64, r float64) error {
	from := s.vertices[worst]
	if r < s.costs[worst] {
		from = reflected
	}
	contracted := s.along(0.5, from)
	c, err := s.cost(contracted)
	if err != nil {
		return err
	}
	if c < s.costs[worst] {
		s.set(worst, contracted, c)
		return nil
	}
	for i, v := range s.vertices {
		if i == best {
			continue
		}
		for j, x := range s.vertices[best] {
			v[j] = x + (v[j]-x)/2
		}
	}
	// The other costs stay as they were: so it is in InfluxDB.
	if s.costs[worst], err = s.cost(s.vertices[worst]); err != nil {
		return err
	}
	s.costs[second], err = s.cost(s.vertices[second])
	return err
}

// along gives the point on the line from the center through x, at by times x's
// distance.
func (s *simplex) along(by float64, x []float64) []float64 {
	out := make([]float64, len(x))
	for j, c := range s.center {
		out[j] = c + by*(x[j]-c)
	}
	return out
}

func (s *simplex) set(i int, vertex []float64, cost float64) {
	s.vertices[i], s.costs[i] = vertex, cost
}

// deviation gives the standard deviation of the costs.
func (s *simplex) deviation() float64 {
	sum := 0.0
	for _, c := range s.costs {
		sum += c
	}
	mean, n := sum/float64(len(s.costs)), float64(len(s.center))
	squares := 0.0
	for _, c := range s.costs {
		squares += (c - mean) * (c - mean) / n
	}
	return math.Sqrt(squares)
}
