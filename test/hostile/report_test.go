package hostile

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// report is a row with what it did.
type report struct {
	row
	varve  outcome
	influx *outcome // nil: it was not asked
}

const (
	tableBegins = "<!-- table -->\n"
	tableEnds   = "<!-- end of table -->\n"
)

// replaceTable puts the reports into a page, between the two marks.
func replaceTable(file string, reports []report) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, begins := bytes.Cut(page, []byte(tableBegins))
	_, tail, ends := bytes.Cut(rest, []byte(tableEnds))
	if !begins || !ends {
		return fmt.Errorf("%s has no %s and %s", file, tableBegins, tableEnds)
	}
	var b bytes.Buffer
	b.Write(head)
	b.WriteString(tableBegins + "| # | input | Varve | | InfluxDB 1.8.10 | |\n|---|---|---|---|---|---|\n")
	for _, r := range reports {
		fmt.Fprintf(&b, "| %d | %s | %s | %s |", r.number, cell(r.input), cell(r.varve.answer), cell(r.varve.after()))
		if r.influx != nil {
			fmt.Fprintf(&b, " %s | %s |\n", cell(r.influx.answer), cell(r.influx.after()))
		} else {
			b.WriteString(" not asked | |\n")
		}
	}
	b.WriteString(tableEnds)
	b.Write(tail)
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// cell gives a text as it stands in a table of Markdown.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ").Replace(text)
}
