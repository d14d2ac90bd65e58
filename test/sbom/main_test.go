package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The test's own binary is one of Go with modules.
func TestBillNamesEveryModuleOfABinaryAndIsTheSameEachTime(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if err := run([]string{"v1.2.3", own, own}, b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two bills of one binary differ")
	}
	var got bill
	if err := json.Unmarshal(first.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	c := got.Metadata.Component
	if got.Format != "CycloneDX" || c.Version != "v1.2.3" || len(c.Components) != 2 || len(c.Components[0].Hashes[0].Content) != 64 {
		t.Errorf("the bill is %s", &first)
	}
	if len(got.Components) == 0 || got.Components[len(got.Components)-1].Name != "std" && !strings.Contains(first.String(), "pkg:golang/std@") {
		t.Errorf("the bill has not the standard library: %s", &first)
	}
}

func TestWhatIsNoBinaryOfGoIsAnError(t *testing.T) {
	if err := run([]string{"v1", "main.go"}, &bytes.Buffer{}); err == nil {
		t.Error("there is a bill of a source file")
	}
	if err := run(nil, &bytes.Buffer{}); err == nil {
		t.Error("there is a bill of nothing")
	}
}
