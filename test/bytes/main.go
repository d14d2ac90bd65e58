// Command bytes measures how many bytes on disk a value takes, for many kinds of
// data, in varved and in its peers: written through HTTP, settled without a
// command. Then it reads some series back and counts the values that are not
// what was written.
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/test/harness/contest"
	"github.com/varvedb/varve/test/harness/kinds"
)

type config struct {
	contest.Options
	kinds        []kinds.Kind
	series, rows int
	read         int // series that are read back
}

func main() {
	var c config
	c.Register("influxd,victoria", 1, 30*time.Second)
	only := flag.String("kinds", "", "names of kinds, or parts of them, by comma; empty is all")
	flag.IntVar(&c.series, "series", 100, "series of each kind")
	flag.IntVar(&c.rows, "rows", 10000, "rows of each series, ten seconds apart")
	flag.IntVar(&c.read, "read", 5, "series that are read back and compared")
	flag.Parse()
	for _, k := range kinds.All() {
		for name := range strings.SplitSeq(*only, ",") {
			if strings.Contains(k.Name, name) {
				c.kinds = append(c.kinds, k)
				break
			}
		}
	}
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bytes:", err)
		os.Exit(1)
	}
}

// result is what one kind gave on one server.
type result struct {
	perValue float64 // bytes
	changed  float64 // share of the values read back
}

func run(c config, out io.Writer) error {
	entrants := c.Entrants(out)
	results := make([][]result, len(entrants))
	for i, e := range entrants {
		var err error
		if results[i], err = measure(c, e); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	fmt.Fprintf(out, "\nbytes per value on disk, settled after %v: %d series of %d rows of one field, times included\n", c.Settle, c.series, c.rows)
	fmt.Fprintf(out, "changed: values that do not come back as they were written, of %d\n", c.read*c.rows)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, e := range entrants {
		fmt.Fprintf(w, "\t%s\tchanged", e.Name)
	}
	for _, e := range entrants[1:] {
		fmt.Fprintf(w, "\tvarved/%s", e.Name)
	}
	fmt.Fprintln(w, "\t")
	for i, k := range c.kinds {
		fmt.Fprint(w, k.Name)
		for j := range entrants {
			if r := results[j][i]; math.IsNaN(r.perValue) {
				fmt.Fprint(w, "\tno such type\t-")
			} else {
				fmt.Fprintf(w, "\t%.3f\t%.1f %%", r.perValue, 100*r.changed)
			}
		}
		for j := range entrants[1:] {
			if ratio := results[0][i].perValue / results[j+1][i].perValue; math.IsNaN(ratio) {
				fmt.Fprint(w, "\t-")
			} else {
				fmt.Fprintf(w, "\t%.2f", ratio)
			}
		}
		fmt.Fprintln(w, "\t")
	}
	return w.Flush()
}

// measure writes every kind to a server of its own and gives their results. The
// servers rest all together: the pause is the longest part of it.
func measure(c config, e contest.Entrant) ([]result, error) {
	servers := make([]*contest.Run, len(c.kinds))
	defer func() {
		for _, s := range servers {
			if s != nil {
				s.Close()
			}
		}
	}()
	for i, k := range c.kinds {
		if e.NumbersOnly && (k.Type == model.String || k.Type == model.Boolean) {
			continue
		}
		var err error
		if servers[i], err = e.Start(); err != nil {
			return nil, err
		}
		if err := write(c, k, servers[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	time.Sleep(c.Settle)
	results := make([]result, len(c.kinds))
	for i, k := range c.kinds {
		if servers[i] == nil {
			results[i].perValue = math.NaN()
			continue
		}
		disk, err := servers[i].Disk()
		if err != nil {
			return nil, err
		}
		results[i].perValue = float64(disk) / float64(c.series*c.rows)
		if results[i].changed, err = changed(c, k, servers[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	return results, nil
}

var begin = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

// write sends all series of a kind, for each time every series once.
func write(c config, k kinds.Kind, server *contest.Run) error {
	columns := make([]*model.Column, c.series)
	for s := range columns {
		columns[s] = k.Column(s, c.rows)
	}
	series, row := 0, 0
	return server.Send(2, false, func(dst []byte) []byte {
		for n := 0; n < 5000 && row < c.rows; n++ {
			dst = append(dst, "m,host="...)
			dst = strconv.AppendInt(dst, int64(series), 10)
			dst = append(dst, " value="...)
			dst = appendValue(dst, columns[series], row)
			dst = append(dst, ' ')
			dst = strconv.AppendInt(dst, begin.Add(time.Duration(row)*10*time.Second).UnixNano(), 10)
			dst = append(dst, '\n')
			if series++; series == c.series {
				series, row = 0, row+1
			}
		}
		return dst
	})
}

// appendValue adds a value as line protocol has it.
func appendValue(dst []byte, c *model.Column, row int) []byte {
	switch v := c.Value(row).(type) {
	case float64:
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	case int64:
		return append(strconv.AppendInt(dst, v, 10), 'i')
	case bool:
		return strconv.AppendBool(dst, v)
	default:
		dst = append(dst, '"')
		for _, b := range c.Bytes(row) {
			if b == '"' || b == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, b)
		}
		return append(dst, '"')
	}
}

// changed gives the share of the values read back that differ from what was
// written. That one is missing is an error.
func changed(c config, k kinds.Kind, server *contest.Run) (float64, error) {
	read := min(c.read, c.series)
	differ := 0
	for s := range read {
		want := k.Column(s, c.rows)
		got, err := server.Values("m", "value", fmt.Sprint(s))
		if err != nil {
			return 0, err
		}
		if len(got) != c.rows {
			return 0, fmt.Errorf("series %d has %d values, want %d", s, len(got), c.rows)
		}
		for i, v := range got {
			w := want.Value(i)
			if n, ok := w.(int64); ok {
				w = float64(n) // as JSON gives it; kinds have no larger ones than that can hold
			}
			if v != w {
				differ++
			}
		}
	}
	return float64(differ) / float64(read*c.rows), nil
}
