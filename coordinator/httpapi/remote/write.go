package remote

import (
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/varvedb/varve/model"
)

const (
	nameLabel   = "__name__"
	unnamed     = "prom_metric_not_specified" // the measurement of what has no name
	valueField  = "value"
	maxKeyBytes = 65535 // of a series and its field, as in InfluxDB
)

// Limits bounds a write.
type Limits struct {
	Labels  int // of one series
	Samples int // of the request
}

// Write is what a WriteRequest asks to store.
type Write struct {
	Batch *model.Batch // every series has its key and its hash
	// NotNumbers counts the samples that are NaN, as those that end a series, or
	// infinite. InfluxDB stores none of them and does not say so.
	NotNumbers int
	// Dropped counts the samples that are never stored for what their labels are;
	// Reason is why the first ones are not.
	Dropped int
	Reason  string
}

// DecodeWrite reads a WriteRequest. It keeps no reference to b. An error means
// that nothing is to be stored.
func DecodeWrite(b []byte, seed uint64, limits Limits) (*Write, error) {
	w := writer{
		seed: seed, limits: limits,
		tables: make(map[string]int), series: make(map[model.SeriesHash]uint32),
	}
	w.out.Batch = new(model.Batch)
	for f := (fields{rest: b}); ; {
		if !f.next() {
			if f.err != nil {
				return nil, invalid(f.err)
			}
			return &w.out, nil
		}
		if !f.is(1, protowire.BytesType) {
			continue
		}
		if err := w.timeSeries(f.message()); err != nil {
			return nil, err
		}
	}
}

// writer builds a batch, series by series.
type writer struct {
	out    Write
	seed   uint64
	limits Limits
	tables map[string]int // by measurement, an index into Batch.Tables
	series map[model.SeriesHash]uint32
	taken  int // samples so far

	tags model.Tags // of the series
}

// timeSeries adds the samples of a TimeSeries. Its labels may come behind them.
func (w *writer) timeSeries(b []byte) error {
	w.tags = w.tags[:0]
	samples := 0
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.is(1, protowire.BytesType):
			if err := w.label(f.message()); err != nil {
				return err
			}
		case f.is(2, protowire.BytesType):
			samples++
		}
	}
	if f.err != nil {
		return invalid(f.err)
	}
	if samples == 0 {
		return nil
	}
	if w.taken += samples; w.taken > w.limits.Samples {
		return &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("more than %d samples in a request", w.limits.Samples)}
	}
	to, reason := w.place()
	if reason != "" {
		if w.out.Dropped += samples; w.out.Reason == "" {
			w.out.Reason = reason
		}
		return nil
	}
	f = fields{rest: b}
	for f.next() {
		if !f.is(2, protowire.BytesType) {
			continue
		}
		if err := w.sample(f.message(), &to); err != nil {
			return err
		}
	}
	return nil
}

// label adds a label to the series. Of two of one name the later counts.
func (w *writer) label(b []byte) error {
	var t model.Tag
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.is(1, protowire.BytesType):
			t.Key = string(f.text())
		case f.is(2, protowire.BytesType):
			t.Value = string(f.text())
		}
	}
	switch {
	case f.err != nil:
		return invalid(f.err)
	case t.Key == "":
		return &model.Error{Kind: model.ErrInvalid, Text: "a label without a name"}
	}
	for i := range w.tags {
		if w.tags[i].Key == t.Key {
			w.tags[i] = t
			return nil
		}
	}
	if len(w.tags) == w.limits.Labels {
		return &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("more than %d labels of a series", w.limits.Labels)}
	}
	w.tags = append(w.tags, t)
	return nil
}

// place is where the samples of a series go.
type place struct {
	measurement string
	key         []byte
	series      uint32 // index into Batch.Series, once it is known
	known       bool
}

// place gives where the samples of the labels go, or why they cannot be stored.
func (w *writer) place() (to place, reason string) {
	kept := w.tags[:0]
	for _, t := range w.tags {
		if t.Value != "" { // which is the same as none
			kept = append(kept, t)
		}
	}
	w.tags = kept
	w.tags.Sort()
	to.measurement = w.tags.Get(nameLabel)
	if to.measurement == "" {
		to.measurement = unnamed
	}
	// A backslash at an end would escape what stands behind it in the key.
	const end = `\`
	bad := strings.HasSuffix(to.measurement, end)
	for _, t := range w.tags {
		if t.Key == "time" {
			return to, fmt.Sprintf(`invalid tag key: input tag "time" on measurement "%s" is invalid`, to.measurement)
		}
		bad = bad || strings.HasSuffix(t.Key, end) || strings.HasSuffix(t.Value, end)
	}
	if bad {
		return to, "invalid tag format: a name or value ends in a backslash"
	}
	to.key = model.AppendSeriesKey(nil, to.measurement, w.tags)
	if n := len(to.key) + len("#!~#") + len(valueField); n > maxKeyBytes {
		return to, fmt.Sprintf("max key length exceeded: %d > %d", n, maxKeyBytes)
	}
	return to, ""
}

// sample adds a sample, and its series with the first one.
func (w *writer) sample(b []byte, to *place) error {
	var bits uint64
	var millis int64
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.is(1, protowire.Fixed64Type):
			bits = f.fixed64()
		case f.is(2, protowire.VarintType):
			millis = f.varint()
		}
	}
	if f.err != nil {
		return invalid(f.err)
	}
	const unit = int64(time.Millisecond)
	if millis < model.MinTime/unit || millis > model.MaxTime/unit {
		return &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("time outside range %d - %d", int64(model.MinTime), int64(model.MaxTime))}
	}
	if v := math.Float64frombits(bits); math.IsNaN(v) || math.IsInf(v, 0) {
		w.out.NotNumbers++
		return nil
	}
	t := w.table(to.measurement)
	if !to.known {
		to.series, to.known = w.seriesOf(to.key), true
	}
	t.Series = append(t.Series, to.series)
	t.Times = append(t.Times, millis*unit)
	t.Columns[0].AppendBits(bits)
	return nil
}

func (w *writer) table(measurement string) *model.Table {
	i, ok := w.tables[measurement]
	if !ok {
		i = len(w.out.Batch.Tables)
		w.tables[measurement] = i
		w.out.Batch.Tables = append(w.out.Batch.Tables, model.Table{
			Measurement: measurement,
			Columns:     []model.Column{{Field: model.Field{Name: valueField, Type: model.Float}}},
		})
	}
	return &w.out.Batch.Tables[i]
}

// seriesOf gives the index of a series in the batch.
func (w *writer) seriesOf(key []byte) uint32 {
	h := model.HashSeriesKey(key, w.seed)
	i, ok := w.series[h]
	if !ok {
		i = uint32(len(w.out.Batch.Series))
		w.series[h] = i
		w.out.Batch.Series = append(w.out.Batch.Series, model.Series{Hash: h, Key: key})
	}
	return i
}
