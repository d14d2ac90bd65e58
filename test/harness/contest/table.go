package contest

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table collects the figures of every round of every server and prints their
// medians, and those of the first server as ratios of the others'. A figure
// that was not measured is NaN.
type Table struct {
	columns []column
	names   []string
	rounds  map[string][][]float64
}

type column struct{ name, format string }

// NewTable makes a table with these columns, each a name and, behind a bar, the
// format of its figures: "CPU s|%.2f".
func NewTable(columns ...string) *Table {
	t := &Table{rounds: map[string][][]float64{}}
	for _, c := range columns {
		name, format, _ := strings.Cut(c, "|")
		t.columns = append(t.columns, column{name, format})
	}
	return t
}

// Add takes the figures of one round, one for each column.
func (t *Table) Add(name string, figures ...float64) {
	if len(figures) != len(t.columns) {
		panic(fmt.Sprintf("contest: %d figures for %d columns", len(figures), len(t.columns)))
	}
	if _, ok := t.rounds[name]; !ok {
		t.names = append(t.names, name)
	}
	t.rounds[name] = append(t.rounds[name], figures)
}

// Median gives the median of one column of a server; NaN if there is none.
func (t *Table) Median(name string, column int) float64 {
	var v []float64
	for _, r := range t.rounds[name] {
		v = append(v, r[column])
	}
	return Median(v)
}

// Median gives the median; NaN of nothing.
func Median(v []float64) float64 { return Quantile(v, 0.5) }

// Quantile gives the value below which the share q of v lies; NaN of nothing.
func Quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Sorted(slices.Values(v))
	return v[min(int(q*float64(len(v))), len(v)-1)]
}

// Print writes the title and the table.
func (t *Table) Print(out io.Writer, title string) error {
	fmt.Fprintf(out, "\n%s\n", title)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range t.columns {
		fmt.Fprintf(w, "\t%s", c.name)
	}
	fmt.Fprintln(w, "\t")
	for _, name := range t.names {
		fmt.Fprint(w, name)
		for i, c := range t.columns {
			fmt.Fprintf(w, "\t%s", figure(c.format, t.Median(name, i)))
		}
		fmt.Fprintln(w, "\t")
	}
	for _, name := range t.names[min(1, len(t.names)):] {
		fmt.Fprintf(w, "%s/%s", t.names[0], name)
		for i := range t.columns {
			fmt.Fprintf(w, "\t%s", figure("%.3g", t.Median(t.names[0], i)/t.Median(name, i)))
		}
		fmt.Fprintln(w, "\t")
	}
	return w.Flush()
}

func figure(format string, v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	return fmt.Sprintf(format, v)
}
