// Command summary reads the output of "go test -json" and prints what a person
// wants of it: a line per package, the output of what failed, what tests say
// after "figure: ", the reason of every skip, and the counts. It exits with 1 when
// a test or a package failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
)

type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

type test struct{ pkg, name string }

func main() {
	ok, err := summarise(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// summarise reports whether everything passed.
func summarise(in io.Reader, out io.Writer) (ok bool, err error) {
	output := map[test][]string{}
	var passed, failed, skipped int
	var skips, figures []string
	ok = true
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text()) // not an event: a message of the go command
			continue
		}
		k := test{e.Package, e.Test}
		switch e.Action {
		case "output":
			output[k] = append(output[k], e.Output)
			if _, figure, ok := strings.Cut(e.Output, "figure: "); ok {
				figures = append(figures, strings.TrimSpace(figure))
			}
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "pass", "fail", "skip":
			if e.Action == "fail" {
				ok = false
				fmt.Fprint(out, strings.Join(output[k], ""))
			}
			switch {
			case e.Test == "" && e.Action == "skip":
				fmt.Fprintf(out, "?    %s (no tests)\n", e.Package)
			case e.Test == "":
				fmt.Fprintf(out, "%-4s %s %.1fs\n", e.Action, e.Package, e.Elapsed)
			case e.Action == "pass":
				passed++
			case e.Action == "fail":
				failed++
			default:
				skipped++
				skips = append(skips, fmt.Sprintf("skipped %s %s: %s", e.Package, e.Test, reason(output[k])))
			}
			delete(output, k)
		}
	}
	for _, f := range figures {
		fmt.Fprintln(out, f)
	}
	sort.Strings(skips)
	for _, s := range skips {
		fmt.Fprintln(out, s)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return ok, lines.Err()
}

// reason gives what a skipped test printed of why.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		said = append(said, line)
	}
	return strings.Join(said, " ")
}
