package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Imports are sent in requests of this size, so that memory stays bounded.
const (
	importLines = 5000
	importBytes = 8 << 20
	maxLine     = 32 << 20
)

// importer reads the file format of "influx_inspect export" and "influx
// -import": statements after "# DDL", line protocol after "# DML", and comments
// that name the database and policy to write to.
type importer struct {
	client                 *client
	out                    io.Writer
	precision, consistency string
	linesPerSecond         int // 0: no limit

	database, policy string
	dml              bool
	inside           bool // the line before ended inside a string
	pending          []string
	pendingBytes     int
	started          time.Time
	sent             int // lines, for the rate

	commands, inserts, failed int
}

func (im *importer) run(ctx context.Context, path string, compressed bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = f
	if compressed {
		if in, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
	im.started = time.Now()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	lines.Split(scanLines)
	for lines.Scan() {
		if err := im.line(ctx, lines.Text()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if err := im.flush(ctx); err != nil {
		return err
	}
	fmt.Fprintf(im.out, "Processed %d commands\nProcessed %d inserts\nFailed %d inserts\n", im.commands, im.inserts, im.failed)
	if im.failed > 0 {
		return fmt.Errorf("%d points were not inserted", im.failed)
	}
	return nil
}

func (im *importer) line(ctx context.Context, line string) error {
	if im.inside {
		im.add(line)
		return im.flushIfFull(ctx)
	}
	trimmed := strings.TrimSpace(line)
	if name, ok := cutPrefixFold(trimmed, "# CONTEXT-DATABASE:"); ok {
		if err := im.flush(ctx); err != nil {
			return err
		}
		im.database, im.policy = strings.TrimSpace(name), ""
		return nil
	}
	if name, ok := cutPrefixFold(trimmed, "# CONTEXT-RETENTION-POLICY:"); ok {
		if err := im.flush(ctx); err != nil {
			return err
		}
		im.policy = strings.TrimSpace(name)
		return nil
	}
	switch {
	case strings.HasPrefix(trimmed, "# DDL"):
		im.dml = false
		return im.flush(ctx)
	case strings.HasPrefix(trimmed, "# DML"):
		im.dml = true
		return nil
	case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		return nil
	case !im.dml:
		im.commands++
		err := im.client.query(ctx, query{text: trimmed}, func(r *response) error { return r.err() })
		if err != nil {
			fmt.Fprintf(im.out, "error: %v: %s\n", err, trimmed)
		}
		return ctx.Err()
	}
	im.add(line)
	return im.flushIfFull(ctx)
}

// add lets a line wait: a point, or a part of one whose string has a newline.
func (im *importer) add(line string) {
	goesOn := im.inside
	if im.inside = endsInside(line, goesOn); !im.inside {
		line = strings.TrimSuffix(line, "\r")
	}
	im.pendingBytes += len(line) + 1
	if goesOn {
		im.pending[len(im.pending)-1] += "\n" + line
		return
	}
	im.pending = append(im.pending, line)
}

func (im *importer) flushIfFull(ctx context.Context) error {
	// A string may have 1 MiB; a quote that nothing ends must not take all memory.
	if !im.inside && (len(im.pending) >= importLines || im.pendingBytes >= importBytes) || im.pendingBytes >= 2*importBytes {
		return im.flush(ctx)
	}
	return nil
}

// scanLines splits at newlines only: a carriage return may be part of a string.
func scanLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// endsInside reports whether a line of line protocol ends inside a string; inside
// says that it begins there.
func endsInside(line string, inside bool) bool {
	fields, value := inside, inside // beyond measurement and tags; behind an equal sign
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case inside:
			inside = c != '"'
		case !fields:
			fields = c == ' '
		case c == '"' && value:
			inside = true
		case c == '=':
			value = true
		case c == ',':
			value = false
		}
	}
	return inside
}

// flush sends the lines that wait. A refused request is counted and reported;
// only a cancelled import stops.
func (im *importer) flush(ctx context.Context) error {
	if len(im.pending) == 0 {
		return ctx.Err()
	}
	if im.linesPerSecond > 0 {
		due := im.started.Add(time.Duration(float64(im.sent) / float64(im.linesPerSecond) * float64(time.Second)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
		}
	}
	err := im.client.write(ctx, strings.Join(im.pending, "\n"), im.database, im.policy, im.precision, im.consistency)
	if err != nil {
		im.failed += len(im.pending)
		fmt.Fprintf(im.out, "error writing batch: %v\n", err)
	} else {
		im.inserts += len(im.pending)
	}
	im.sent += len(im.pending)
	im.pending, im.pendingBytes, im.inside = im.pending[:0], 0, false
	return ctx.Err()
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}
