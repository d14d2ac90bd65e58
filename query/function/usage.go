package function

// usages shows how functions are called: for the reference.
var usages = [...]string{
	Count: "field", Sum: "field", Mean: "field", Min: "field", Max: "field", First: "field", Last: "field", Spread: "field",
	Stddev: "field", Median: "field", Mode: "field", Percentile: "field, p", Distinct: "field", CountDistinct: "field",

	Derivative: "field | aggregate [, unit]", NonNegativeDerivative: "field | aggregate [, unit]",
	Difference: "field | aggregate", NonNegativeDifference: "field | aggregate",
	Elapsed: "field | aggregate [, unit]", CumulativeSum: "field | aggregate", MovingAverage: "field | aggregate, n",

	ExponentialMovingAverage:       "field | aggregate, period [, hold [, warmup]]",
	DoubleExponentialMovingAverage: "field | aggregate, period [, hold [, warmup]]",
	TripleExponentialMovingAverage: "field | aggregate, period [, hold [, warmup]]",
	RelativeStrengthIndex:          "field | aggregate, period [, hold [, warmup]]",
	TripleExponentialDerivative:    "field | aggregate, period [, hold [, warmup]]",
	KaufmansEfficiencyRatio:        "field | aggregate, period [, hold]",
	KaufmansAdaptiveMovingAverage:  "field | aggregate, period [, hold]",
	ChandeMomentumOscillator:       "field | aggregate, period [, hold [, warmup]]",

	HoltWinters: "aggregate, n, season", HoltWintersWithFit: "aggregate, n, season",
	Top: "field [, tag …], n", Bottom: "field [, tag …], n", Sample: "field, n", Integral: "field [, unit]",
}

// Usage gives f's arguments as a reference shows them.
func (f ID) Usage() string {
	if !f.Valid() {
		return ""
	}
	return usages[f]
}

// IDs gives all functions, in order of their numbers.
func IDs() []ID {
	var all []ID
	for f := range ID(len(names)) {
		if f.Valid() {
			all = append(all, f)
		}
	}
	return all
}

// Scalars gives all scalar functions.
func Scalars() []Scalar { return append([]Scalar(nil), scalars[:]...) }
