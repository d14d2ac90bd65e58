package block

import (
	"encoding/hex"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
)

var exampleLine = regexp.MustCompile(`(?m)^    (integer|float|boolean|string|array) +(.*?)  +([0-9a-f ]+)$`)

func TestExamplesOfFormat(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, examples, _ := strings.Cut(string(text), "## Examples")
	lines := exampleLine.FindAllStringSubmatch(examples, -1)
	if len(lines) < 7 {
		t.Fatalf("%d examples found", len(lines))
	}
	for _, line := range lines {
		t.Run(line[1]+" "+line[2], func(t *testing.T) {
			var got []byte
			if line[1] == "array" {
				got = AppendArray(nil, exampleColumn(t, "integer", line[2]).Bits)
			} else {
				var e Encoder
				var d Decoder
				got = checkColumn(t, &e, &d, exampleColumn(t, line[1], line[2]))
			}
			want := strings.ReplaceAll(line[3], " ", "")
			if hex.EncodeToString(got) != want {
				t.Errorf("encodes to % x, FORMAT.md says %s", got, line[3])
			}
		})
	}
}

// exampleColumn reads values with blanks between them; "-" is a row without one.
func exampleColumn(t *testing.T, typ, values string) *model.Column {
	t.Helper()
	types := map[string]model.FieldType{
		"integer": model.Integer, "float": model.Float, "boolean": model.Boolean, "string": model.String,
	}
	c := &model.Column{Field: model.Field{Type: types[typ]}}
	for word := range strings.FieldsSeq(values) {
		switch {
		case word == "-":
			c.AppendNull()
		case c.Type == model.String:
			c.AppendText([]byte(word))
		case c.Type == model.Float:
			v, err := strconv.ParseFloat(word, 64)
			if err != nil {
				t.Fatal(err)
			}
			c.AppendBits(math.Float64bits(v))
		default:
			v, err := strconv.ParseInt(word, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			c.AppendBits(uint64(v))
		}
	}
	return c
}

// What comes of tables depends on what a Group has seen, so these examples are
// only decoded.
var exampleTable = regexp.MustCompile(`(?m)^    (integer|float|string) +(.*?)  +table ([0-9a-f ]+?)  +block ([0-9a-f ]+)$`)

func TestExamplesOfTables(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := exampleTable.FindAllStringSubmatch(string(text), -1)
	if len(lines) < 5 {
		t.Fatalf("%d examples found", len(lines))
	}
	bytesOf := func(s string) []byte {
		p, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, line := range lines {
		want := exampleColumn(t, line[1], line[2])
		tables, err := ReadTables(append([]byte{1}, bytesOf(line[3])...))
		if err != nil {
			t.Errorf("%s: %v", line[0], err)
			continue
		}
		var d Decoder
		var present model.Bitmap
		got := model.Column{Field: want.Field}
		if err := d.Column(&got, &present, want.Len(), bytesOf(line[4]), tables, 1); err != nil {
			t.Errorf("%s: %v", line[0], err)
		} else if err := same(&got, want); err != nil {
			t.Errorf("%s: %v", line[0], err)
		}
	}
}
