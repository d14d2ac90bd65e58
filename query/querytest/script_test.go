package querytest

import (
	"path/filepath"
	"testing"
)

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) { Run(t, f) })
	}
}

func TestParseTellsWhereAScriptIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"query db\nx\n----\n": `line 1: "db" is no option`,
		"\nquery\nx\n":        `line 2: no ---- after "query"`,
	} {
		if _, _, err := parse(text); err == nil || err.Error() != want {
			t.Errorf("parse(%q) = %v, want %s", text, err, want)
		}
	}
}
