package segment

import (
	"bytes"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
)

// exampleFile makes the file that FORMAT.md shows: two rows of one series.
func exampleFile(t *testing.T) []byte {
	t.Helper()
	f := &file{}
	w := NewWriter(f, Options{Versioned: true})
	v := w.Version(model.Version{HLC: 0x100, ID: model.BatchID{Origin: 1, Epoch: 2, Seq: 3}})
	load := model.Column{Field: model.Field{Name: "load", Type: model.Float}}
	load.AppendBits(0x3fe0000000000000) // 0.5
	load.AppendBits(0x3ff8000000000000) // 1.5
	rows := &Rows{Times: []int64{1000, 2000}, Versions: []uint32{v, v}, Columns: []model.Column{load}}
	if err := w.Append("cpu", 7, rows); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return f.content
}

var exampleBytes = regexp.MustCompile(`(?m)^    [0-9a-f]{4}  ((?:[0-9a-f]{2} ?)+)`)

func TestExampleOfFormat(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, line := range exampleBytes.FindAllStringSubmatch(string(text), -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(line[1], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
	}
	if got := exampleFile(t); !bytes.Equal(got, want) {
		t.Errorf("the writer makes\n% x\nFORMAT.md says\n% x", got, want)
	}
	r, err := OpenBytes(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(r); err != nil {
		t.Fatal(err)
	}
	var c Cursor
	c.Reset(r, "cpu", r.Fields("cpu"))
	if ok, err := c.Seek(7); !ok || err != nil {
		t.Fatalf("seek: %v %v", ok, err)
	}
	column, err := c.Column(0, 0)
	if err != nil || column.Value(0) != 0.5 || column.Value(1) != 1.5 {
		t.Errorf("column %+v: %v", column, err)
	}
}
