package segment

import (
	"bytes"
	"math"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// inspected makes a file of two measurements.
func inspected(t *testing.T, versioned bool) []byte {
	t.Helper()
	var file bytes.Buffer
	w := NewWriter(&file, Options{Versioned: versioned})
	for _, m := range []string{"cpu", "mem"} {
		for series := range uint32(3) {
			rows := &Rows{Columns: []model.Column{{Field: model.Field{Name: "f", Type: model.Float}}, {Field: model.Field{Name: "i", Type: model.Integer}}}}
			for i := range 300 {
				rows.Times = append(rows.Times, int64(i)*1e10)
				rows.Columns[0].AppendBits(math.Float64bits(float64(i%7) / 4))
				if i%2 == 0 {
					rows.Columns[1].AppendBits(uint64(i))
				} else {
					rows.Columns[1].AppendNull()
				}
				if versioned {
					rows.Versions = append(rows.Versions, w.Version(model.Version{HLC: model.HLC(i + 1)}))
				}
			}
			if err := w.Append(m, series, rows); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestSegmentsNameAllBytesOfTheFile(t *testing.T) {
	for _, versioned := range []bool{false, true} {
		data := inspected(t, versioned)
		r, err := OpenBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		at, rows := int64(len(headMagic)), 0
		for s := range r.Segments() {
			rows += s.Rows
			if s.Offset != at {
				t.Errorf("segment %d of %s is at %d, want %d", s.Number, s.Measurement, s.Offset, at)
			}
			for i := range s.Parts {
				p := &s.Parts[i]
				if p.Offset != at {
					t.Errorf("part %s of %s is at %d, want %d", p.Kind, p.Field.Name, p.Offset, at)
				}
				at += int64(p.Bytes)
				if ok, err := r.Intact(p); !ok || err != nil {
					t.Errorf("part %s at %d: intact %v, %v", p.Kind, p.Offset, ok, err)
				}
			}
			values := map[string]int{}
			for i, f := range s.Fields {
				err := r.Blocks(&s, i, func(d block.Description, n int) {
					if n == 0 || d.Codec == "" {
						t.Errorf("field %s: %d bytes, %+v", f.Name, n, d)
					}
					values[f.Name] += d.Values
				})
				if err != nil {
					t.Error(err)
				}
			}
			if values["f"] != 900 || values["i"] != 450 {
				t.Errorf("%s has values %v, want 900 of f and 450 of i", s.Measurement, values)
			}
		}
		if rows != 1800 || int64(rows) != r.Meta().Rows {
			t.Errorf("%d rows in segments, %d in the file, want 1800", rows, r.Meta().Rows)
		}
	}
}

func TestIntactFindsTheDamagedPart(t *testing.T) {
	data := inspected(t, true)
	r, err := OpenBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	var parts []Part
	for s := range r.Segments() {
		parts = append(parts, s.Parts...)
	}
	for i := range parts {
		bad := bytes.Clone(data)
		bad[parts[i].Offset+int64(parts[i].Bytes)/2] ^= 1
		r, err := OpenBytes(bad)
		if err != nil {
			t.Fatal(err)
		}
		for k := range parts {
			if ok, err := r.Intact(&parts[k]); ok != (k != i) || err != nil {
				t.Errorf("part %d damaged: part %d is intact %v, %v", i, k, ok, err)
			}
		}
	}
}
