package wal

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestFormatExample(t *testing.T) {
	h := fileHeader{id: 5, first: 42, epoch: 0x1122334455667788}
	b := h.append(nil)
	end := beginRecord(nil)
	endRecord(end, h.epoch, fileHeaderBytes, recordEnd)
	b = append(b, end...)

	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(doc), "```hex\n")
	block, _, closed := strings.Cut(block, "```")
	if !ok || !closed {
		t.Fatal("no example in FORMAT.md")
	}
	var want strings.Builder
	for line := range strings.Lines(block) {
		data, _, _ := strings.Cut(line, "|")
		want.WriteString(strings.Join(strings.Fields(data), ""))
	}
	if got := fmt.Sprintf("%x", b); got != want.String() {
		t.Errorf("the example of FORMAT.md is\n%s\nin the code, not\n%s", got, want.String())
	}
}
