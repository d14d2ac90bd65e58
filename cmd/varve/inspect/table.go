package inspect

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is lines of cells under a head. Names, the first column, begin on the
// left, and so does a last column whose head begins with a blank; numbers end
// on the right.
type table struct {
	rows [][]string
}

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.rows = append(t.rows, row)
}

func (t *table) print(out io.Writer) error {
	w := bufio.NewWriter(out)
	var widths []int
	for _, row := range t.rows {
		for i, text := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for _, row := range t.rows {
		var line strings.Builder
		for i, text := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			switch {
			case i == 0:
				line.WriteString(text + pad)
			case strings.HasPrefix(t.rows[0][i], " "):
				line.WriteString("  " + strings.TrimPrefix(text, " "))
			default:
				line.WriteString("  " + pad + text)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	return w.Flush()
}
