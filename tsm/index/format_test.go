package index

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

func TestFileIsAsFormatSays(t *testing.T) {
	x := New()
	for i := range 7 {
		add(t, x, fmt.Sprint("other", i))
	}
	for i, key := range []string{"cpu,host=a,os=bsd", "cpu,host=b,os=bsd"} {
		h := model.SeriesHash{Hi: 0x0102030405060708, Lo: 0x1112131415161718}
		h.Hi += uint64(i) * 0x2020202020202020
		h.Lo += uint64(i) * 0x2020202020202020
		if _, _, err := x.Add(h, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	fs := vfs.NewMem()
	if _, err := x.Write(fs, "x", 7, 9); err != nil {
		t.Fatal(err)
	}
	got, err := vfs.ReadFile(fs, "x", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, line := range regexp.MustCompile(`(?m)^    ((?:[0-9a-f]{2}(?: |$)){1,8})`).FindAllStringSubmatch(string(text), -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(line[1], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("file is\n%s, FORMAT.md says\n%s", hex.Dump(got), hex.Dump(want))
	}
}
