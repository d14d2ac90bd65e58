package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// printer writes answers as "column", "csv" or "json". It remembers the header
// it wrote last, so that the chunks of one series are one table.
type printer struct {
	out    io.Writer
	format string
	pretty bool

	last   *series // whose header stands above the next row; nil before the first
	first  bool    // nothing of this answer was written yet
	widths []int   // of the columns of the table being written, in characters
}

// begin makes the next response the first of an answer.
func (p *printer) begin() { p.last, p.first = nil, true }

func (p *printer) print(r *response) error {
	switch p.format {
	case "json":
		return p.printJSON(r)
	case "csv":
		return p.printCSV(r)
	}
	return p.printColumns(r)
}

func (p *printer) printJSON(r *response) error {
	var b []byte
	var err error
	if p.pretty {
		b, err = json.MarshalIndent(r, "", "    ")
	} else {
		b, err = json.Marshal(r)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s\n", b)
	return err
}

func (p *printer) printColumns(r *response) error {
	w := bufio.NewWriter(p.out)
	for _, res := range r.Results {
		for _, m := range res.Messages {
			fmt.Fprintf(w, "%s: %s.\n", m.Level, m.Text)
		}
		for _, s := range res.Series {
			var rows [][]string
			if !p.continues(&s) {
				if !p.first {
					fmt.Fprintln(w)
				}
				if s.Name != "" {
					fmt.Fprintf(w, "name: %s\n", s.Name)
				}
				if len(s.Tags) > 0 {
					fmt.Fprintf(w, "tags: %s\n", joinTags(s.Tags, ", "))
				}
				dashes := make([]string, len(s.Columns))
				for i, c := range s.Columns {
					dashes[i] = strings.Repeat("-", len(c))
				}
				rows = append(rows, s.Columns, dashes)
				p.widths = make([]int, len(s.Columns))
			}
			p.first = false
			for _, row := range s.Values {
				rows = append(rows, cells(row))
			}
			p.align(w, rows)
		}
	}
	return w.Flush()
}

// align writes rows with a blank between columns as wide as their widest cell,
// in this chunk of the table or one before it. The last column is not padded.
func (p *printer) align(w io.Writer, rows [][]string) {
	for _, row := range rows {
		for i := range min(len(row), len(p.widths)) {
			p.widths[i] = max(p.widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		for i, text := range row {
			if i < len(row)-1 && i < len(p.widths) {
				text += strings.Repeat(" ", p.widths[i]-utf8.RuneCountInString(text)+1)
			}
			io.WriteString(w, text)
		}
		fmt.Fprintln(w)
	}
}

func (p *printer) printCSV(r *response) error {
	w := csv.NewWriter(p.out)
	for _, res := range r.Results {
		for _, s := range res.Series {
			named, tagged := s.Name != "", len(s.Tags) > 0
			if !p.continues(&s) {
				w.Write(prefixed(named, "name", tagged, "tags", s.Columns))
			}
			tags := joinTags(s.Tags, ",")
			for _, row := range s.Values {
				w.Write(prefixed(named, s.Name, tagged, tags, cells(row)))
			}
		}
	}
	w.Flush()
	return w.Error()
}

// prefixed puts the name and the tags in front of cells, where there are any.
func prefixed(named bool, name string, tagged bool, tags string, cells []string) []string {
	row := make([]string, 0, len(cells)+2)
	if named {
		row = append(row, name)
	}
	if tagged {
		row = append(row, tags)
	}
	return append(row, cells...)
}

// continues reports whether the rows of s go under the header written last,
// and remembers s.
func (p *printer) continues(s *series) bool {
	before := p.last
	p.last = &series{Name: s.Name, Tags: s.Tags, Columns: s.Columns}
	return before != nil && before.Name == s.Name && maps.Equal(before.Tags, s.Tags) && slices.Equal(before.Columns, s.Columns)
}

func joinTags(tags map[string]string, separator string) string {
	pairs := make([]string, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		pairs = append(pairs, key+"="+tags[key])
	}
	return strings.Join(pairs, separator)
}

// cells gives values as a table shows them; null is an empty cell.
func cells(row []any) []string {
	texts := make([]string, len(row))
	for i, v := range row {
		switch v := v.(type) {
		case nil:
		case string:
			texts[i] = v
		default:
			texts[i] = fmt.Sprint(v)
		}
	}
	return texts
}
