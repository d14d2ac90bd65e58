package opentsdb

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/varvedb/varve/coordinator/ingest/point"
	"github.com/varvedb/varve/model"
)

// The errors of a body that is not read, in InfluxDB's words.
var (
	ErrNotJSON = errors.New("expected JSON array or hash")
	ErrArray   = errors.New("json array decode error")
	ErrObject  = errors.New("json object decode error")
)

// datum is one point of a body.
type datum struct {
	Metric    string            `json:"metric"`
	Timestamp *int64            `json:"timestamp"`
	Value     *float64          `json:"value"`
	Tags      map[string]string `json:"tags"`
}

// ParseJSON reads a body, one point or an array of them, and calls each in order
// until it gives an error. Memory is needed for one point at a time.
func ParseJSON(body io.Reader, each func(*point.Point) error) error {
	r := bufio.NewReaderSize(&blankLimit{r: body}, maxBlanks)
	first, err := r.Peek(1)
	if err != nil {
		return fmt.Errorf("peek error: %w", err)
	}
	d := json.NewDecoder(r)
	if first[0] == '{' {
		return parseObject(d, ErrObject, each)
	}
	if first[0] != '[' {
		return ErrNotJSON
	}
	if _, err := d.Token(); err != nil {
		return broken(err, ErrArray)
	}
	for d.More() {
		if err := parseObject(d, ErrArray, each); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return broken(err, ErrArray)
	}
	return nil
}

func parseObject(d *json.Decoder, kind error, each func(*point.Point) error) error {
	var v datum
	if err := d.Decode(&v); err != nil {
		return broken(err, kind)
	}
	// A point without a value or a time, which InfluxDB takes for 0, is refused by
	// whoever is to store it.
	p := point.Point{Measurement: v.Metric, Time: model.MinTime - 1}
	if v.Timestamp != nil {
		p.Time = unixTime(*v.Timestamp)
	}
	if v.Value != nil {
		p.Fields = []point.Field{{Name: valueField, Value: *v.Value}}
	}
	for key, value := range v.Tags {
		p.Tags = append(p.Tags, model.Tag{Key: key, Value: value})
	}
	return each(&p)
}

// broken gives kind for what is wrong with the JSON, and other errors, those of
// the body's reader, as they are.
func broken(err, kind error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &mismatch) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return kind
	}
	return err
}

// milliseconds is from where on a timestamp is not in seconds any more: 2286.
const milliseconds = 10_000_000_000

// unixTime gives the time of a timestamp.
func unixTime(n int64) int64 {
	if n < milliseconds {
		return inNanoseconds(n, time.Second)
	}
	return inNanoseconds(n, time.Millisecond)
}

// maxBlanks is how many blanks may follow each other. The decoder looks at those
// before a value again and again until the value has come, so that megabytes of
// them take minutes.
const maxBlanks = 64 << 10

// blankLimit fails when a reader gives too many blanks.
type blankLimit struct {
	r   io.Reader
	run int // blanks since anything else
}

// Read implements io.Reader.
func (b *blankLimit) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if rest := bytes.TrimRight(p[:n], " \t\r\n"); len(rest) > 0 {
		b.run = n - len(rest)
	} else {
		b.run += n
	}
	if b.run > maxBlanks {
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}
