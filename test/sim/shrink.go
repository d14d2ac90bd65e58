package sim

// Shrink takes steps out of a plan that breaks a promise, as long as what is
// left breaks the same one. It runs at most that many plans.
func Shrink(p *Plan, v *Violation, runs int) *Plan {
	best := *p
	for size := len(best.Steps) / 2; size > 0 && runs > 0; {
		smaller := false
		for from := 0; from < len(best.Steps) && runs > 0; {
			try := best
			try.Steps = append(append([]Step(nil), best.Steps[:from]...), best.Steps[min(from+size, len(best.Steps)):]...)
			runs--
			if r := Run(&try, false); r.Violation != nil && r.Violation.Promise == v.Promise {
				best, smaller = try, true
			} else {
				from += size
			}
		}
		if !smaller || size > len(best.Steps)/2 {
			size /= 2
		}
	}
	return &best
}
