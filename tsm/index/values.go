package index

// Values gives how many values a tag key of a measurement has, those of buried
// series among them.
func (x *Index) Values(measurement, key string) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if mi, ok := x.mu.measurements[measurement]; ok {
		if k := x.mu.names[mi].keys[key]; k != nil {
			return len(k.values)
		}
	}
	return 0
}

// HasValue reports whether a series has a value of a tag.
func (x *Index) HasValue(measurement, key, value string) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if mi, ok := x.mu.measurements[measurement]; ok {
		if k := x.mu.names[mi].keys[key]; k != nil {
			_, ok := k.values[value]
			return ok
		}
	}
	return false
}

// MostValues gives the number of values of the tag key that has the most, or a
// number above it.
func (x *Index) MostValues() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	most := 0
	for _, m := range x.mu.names {
		for _, k := range m.keys {
			most = max(most, len(k.values))
		}
	}
	return most
}
