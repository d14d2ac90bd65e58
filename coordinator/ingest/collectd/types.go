package collectd

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/varvedb/varve/model"
)

// Types says what the values of each type are, as in collectd's types.db.
type Types map[string][]Source

// Source is one value of a type.
type Source struct {
	Name string
	Kind Kind
}

// Kind is how a value is sent. The numbers are the protocol's.
type Kind byte

// The kinds that are stored.
const (
	Counter Kind = 0 // uint64
	Gauge   Kind = 1 // float64
	Derive  Kind = 2 // int64
)

// ReadTypes reads a file, or all files below a folder.
func ReadTypes(name string) (Types, error) {
	types := make(Types)
	// The folder itself may be a link.
	root, err := filepath.EvalSymlinks(name)
	if err == nil {
		err = filepath.WalkDir(root, func(file string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return types.readFile(file)
		})
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("typesdb: %w", err)
	case len(types) == 0:
		return nil, fmt.Errorf("typesdb: %s has no types: %w", name, model.ErrInvalid)
	}
	return types, nil
}

// readFile adds the types of a file; a folder, or a link to one, has none.
func (t Types) readFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return err
	}
	if err := t.read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// read adds the types of a file, "type name:kind:min:max, …" in each line. A line
// that is not of that form is skipped, as InfluxDB does.
func (t Types) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if sources, ok := parseSources(words[1:]); ok {
			t[words[0]] = sources
		}
	}
	return lines.Err()
}

func parseSources(words []string) (sources []Source, ok bool) {
	for _, word := range words {
		parts := strings.Split(strings.TrimSuffix(word, ","), ":")
		if len(parts) != 4 {
			return nil, false
		}
		s := Source{Name: parts[0]}
		switch parts[1] {
		case "COUNTER":
			s.Kind = Counter
		case "GAUGE":
			s.Kind = Gauge
		case "DERIVE":
			s.Kind = Derive
		default:
			return nil, false
		}
		sources = append(sources, s)
	}
	return sources, true
}

// float gives a value that was sent as one kind and is another by its type.
func float(bits uint64, sent, is Kind) float64 {
	switch {
	case sent == Gauge && is == Gauge:
		return math.Float64frombits(bits)
	case sent == Gauge && is == Derive:
		return float64(int64(math.Float64frombits(bits)))
	case sent == Gauge:
		return float64(uint64(math.Float64frombits(bits)))
	case is == Counter:
		return float64(bits)
	case is == Derive:
		return float64(int64(bits))
	case sent == Counter:
		return float64(bits)
	}
	return float64(int64(bits))
}
