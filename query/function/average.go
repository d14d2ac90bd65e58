package function

// Warmup says what an exponential moving average is until it has seen as many
// values as its period has.
type Warmup uint8

// The warm-ups.
const (
	// WarmExponential weights as if the period were the number of values so far.
	WarmExponential Warmup = 0
	// WarmSimple is the mean of the values so far.
	WarmSimple Warmup = 1
	// WarmNone is for Chande's oscillator alone: sums over the period take the
	// place of averages.
	WarmNone Warmup = 2
)

var warmups = [...]string{WarmExponential: "exponential", WarmSimple: "simple", WarmNone: "none"}

// LookupWarmup gives the warm-up of a name in a query.
func LookupWarmup(name string) (Warmup, bool) {
	for w, s := range warmups {
		if s == name {
			return Warmup(w), true
		}
	}
	return 0, false
}

// average is an exponential moving average.
type average struct {
	period int
	warmup Warmup
	alpha  float64 // the newest value's weight once warm
	seen   int     // values, up to period
	value  float64
}

func newAverage(period int, warmup Warmup) average {
	return average{period: period, warmup: warmup, alpha: 2 / float64(period+1)}
}

// newWilder is the average with weight 1/period that Wilder's indicators use.
// They take differences of values, so it is warm one value later.
func newWilder(period int, warmup Warmup) average {
	return average{period: period + 1, warmup: warmup, alpha: 1 / float64(period)}
}

func (a *average) warm() bool { return a.seen == a.period }

// feeds reports whether an average of this one takes its values already: a
// simple mean is not handed on before it is complete.
func (a *average) feeds() bool { return a.warm() || a.warmup == WarmExponential }

// lead gives how many values come before the first of a warm chain of n such
// averages.
func (a *average) lead(n int) int {
	if a.warmup == WarmExponential {
		n = 1
	}
	return n * (a.period - 1)
}

func (a *average) add(v float64) float64 {
	switch n := float64(a.seen); {
	case a.seen == 0:
		a.value = v
	case a.warm():
		a.value += (v - a.value) * a.alpha
	case a.warmup == WarmSimple:
		a.value = (a.value*n + v) / (n + 1)
	default:
		a.value += (v - a.value) * (2 / (n + 2))
	}
	if !a.warm() {
		a.seen++
	}
	return a.value
}
