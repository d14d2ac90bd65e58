package function

type exponential struct{ ema [3]average }

func (e *exponential) add(v float64) float64 { return e.ema[0].add(v) }
func (e *exponential) lead() int             { return e.ema[0].lead(1) }

// doubleExponential is Mulloy's average with less lag: twice the average less
// the average of it.
type doubleExponential struct{ ema [3]average }

func (e *doubleExponential) add(v float64) float64 {
	once := e.ema[0].add(v)
	twice := once
	if e.ema[0].feeds() {
		twice = e.ema[1].add(once)
	}
	return 2*once - twice
}

func (e *doubleExponential) lead() int { return e.ema[0].lead(2) }

type tripleExponential struct{ ema [3]average }

func (e *tripleExponential) add(v float64) float64 {
	once := e.ema[0].add(v)
	twice := once
	if e.ema[0].feeds() {
		twice = e.ema[1].add(once)
	}
	thrice := twice
	if e.ema[1].feeds() {
		thrice = e.ema[2].add(twice)
	}
	return 3*once - 3*twice + thrice
}

func (e *tripleExponential) lead() int { return e.ema[0].lead(3) }

// tripleDerivative is by how much in a hundred the threefold average changed.
type tripleDerivative struct {
	ema  [3]average
	last float64
}

func (e *tripleDerivative) add(v float64) float64 {
	for i := range e.ema {
		v = e.ema[i].add(v)
		if !e.ema[i].feeds() {
			break
		}
	}
	rate := (v/e.last - 1) * 100
	e.last = v
	return rate
}

func (e *tripleDerivative) lead() int { return e.ema[0].lead(3) + 1 }
