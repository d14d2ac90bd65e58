package lineprotocol

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/varvedb/varve/model"
)

// maxKeyBytes bounds measurement and tags as written, and those with the name
// of a field and the four bytes that InfluxDB's files put between.
const (
	maxKeyBytes       = 65535
	fieldKeySeparator = 4
)

// maxLineBytes bounds a line: the longest string, and as much for all else. What
// is longer has lost its line ends, or is out to harm.
const maxLineBytes = maxStringBytes + 1<<20

// refusal is the reason why a line cannot be parsed, in InfluxDB's words.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	missingMeasurement = refusal("missing measurement")
	missingFields      = refusal("missing fields")
	missingTagKey      = refusal("missing tag key")
	missingTagValue    = refusal("missing tag value")
	invalidTagFormat   = refusal("invalid tag format")
	duplicateTags      = refusal("duplicate tags")
	missingFieldKey    = refusal("missing field key")
	missingFieldValue  = refusal("missing field value")
	invalidFieldFormat = refusal("invalid field format")
	unbalancedQuotes   = refusal("unbalanced quotes")
	invalidNumber      = refusal("invalid number")
	invalidFloat       = refusal("invalid float")
	invalidBoolean     = refusal("invalid boolean")
	badTimestamp       = refusal("bad timestamp")
	invalidPoint       = refusal("point is invalid")
)

var timeOutsideRange = refusal(fmt.Sprintf("time outside range %d - %d", int64(model.MinTime), int64(model.MaxTime)))

func keyTooLong(n int) refusal {
	return refusal(fmt.Sprintf("max key length exceeded: %d > %d", n, maxKeyBytes))
}

func lineTooLong(n int) refusal {
	return refusal(fmt.Sprintf("max line length exceeded: %d > %d", n, maxLineBytes))
}

// A reference decodes lines as InfluxDB 1.8.10 does, byte by byte, including
// what looks like an accident there: clients see its values and its texts. It
// differs only where InfluxDB takes a line and then panics, fails the whole
// request with a 500, or stores a field without a name; such lines are refused.
//
// InfluxDB reads the fields twice, with different ideas of what a backslash
// does: once to check them and once to store them. Both readings are here,
// checkFields and storeFields.
type reference struct {
	unsigned bool
	scratch  []byte // unescaped names and values of the current line
}

// decode reads a line that begins with neither blank nor comment sign. Time is
// in units of precision.
func (r *reference) decode(line []byte, precision Precision, p *point) error {
	p.reset()
	r.scratch = r.scratch[:0]
	end, err := r.key(line, p)
	if err != nil {
		return err
	}
	if end > maxKeyBytes {
		return keyTooLong(end)
	}
	p.rawKey = line[:end]

	start := skipBlanks(line, end)
	end, err = r.checkFields(line, start)
	if err != nil {
		return err
	}
	fields := line[start:end]
	if err := checkFieldKeys(fields, len(p.rawKey)); err != nil {
		return err
	}
	if err := p.readTime(line, end, precision); err != nil {
		return err
	}
	return r.storeFields(fields, p)
}

// key reads measurement and tags and gives where they end. In them a comma,
// blank or equal sign is escaped when the byte before it is a backslash,
// whatever comes before that.
func (r *reference) key(line []byte, p *point) (int, error) {
	if len(line) == 0 || line[0] == ',' {
		return 0, missingMeasurement
	}
	i := indexBare(line, 1, ", ")
	if i == len(line) {
		return 0, missingFields
	}
	p.measurement = r.unescape(line[:i], ", =\"")
	for line[i] == ',' {
		i++
		key := i
		if i == len(line) || strings.IndexByte(" ,=", line[i]) >= 0 {
			return 0, missingTagKey
		}
		i = indexBare(line, i+1, " ,=")
		if i == len(line) || line[i] != '=' {
			return 0, missingTagValue
		}
		i++
		value := i
		if i == len(line) || line[i] == ',' || line[i] == ' ' {
			return 0, missingTagValue
		}
		i = indexBare(line, i+1, "=, ")
		if i == len(line) {
			return 0, missingFields
		}
		if line[i] == '=' {
			return 0, invalidTagFormat
		}
		if i > maxKeyBytes {
			continue // refused in the end, but what is wrong later comes first
		}
		p.tags = append(p.tags, pair{
			key:   r.unescape(line[key:value-1], ", ="),
			value: r.unescape(line[value:i], ", ="),
		})
	}
	_, err := sortTags(p.tags)
	return i, err
}

// sortTags orders tags by key and reports whether they were in order. Two of
// one key are an error.
func sortTags(tags []pair) (sorted bool, err error) {
	byKey := func(a, b pair) int { return bytes.Compare(a.key, b.key) }
	if sorted = slices.IsSortedFunc(tags, byKey); !sorted {
		slices.SortFunc(tags, byKey)
	}
	for i := 1; i < len(tags); i++ {
		if bytes.Equal(tags[i-1].key, tags[i].key) {
			return false, duplicateTags
		}
	}
	return sorted, nil
}

// checkFields finds the end of the fields from start. A backslash takes the
// byte after it out of sight, inside quotes and outside.
func (r *reference) checkFields(line []byte, start int) (int, error) {
	quoted := false
	equals, commas := 0, 0
	i := start
scan:
	for i < len(line) {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i += 2
			continue
		case c == '"' && equals > commas:
			quoted = !quoted
		case quoted:
		case c == '=':
			equals++
			if (line[i-1] == ' ' || line[i-1] == ',') && line[i-2] != '\\' {
				return 0, missingFieldKey
			}
			if i+1 == len(line) || line[i+1] == ',' || line[i+1] == ' ' {
				return 0, missingFieldValue
			}
			if line[i+1] != '"' {
				n, err := r.checkBare(line[i+1:])
				if err != nil {
					return 0, err
				}
				i += n
			}
		case c == ',':
			commas++
		case c == ' ':
			break scan
		}
		i++
	}
	switch {
	case quoted:
		return 0, unbalancedQuotes
	case equals == 0 || commas != equals-1:
		return 0, invalidFieldFormat
	}
	return i, nil
}

// checkBare checks the number or boolean that b starts with and gives its
// length.
func (r *reference) checkBare(b []byte) (int, error) {
	n := 0
	for n < len(b) && b[n] != ',' && b[n] != ' ' {
		n++
	}
	token := b[:n]
	if strings.IndexByte("0123456789.-nN", token[0]) >= 0 {
		_, _, err := r.number(token)
		return n, err
	}
	if _, length := readBoolean(token); length != n {
		return 0, invalidBoolean
	}
	return n, nil
}

// number reads a whole token as InfluxDB does, and gives its reason where it
// refuses it.
func (r *reference) number(token []byte) (model.FieldType, uint64, error) {
	if typ, bits, n := readNumber(token, r.unsigned); n == len(token) && n > 0 {
		return typ, bits, nil
	}
	body, suffix := token, byte(0)
	if c := token[len(token)-1]; c == 'i' || c == 'u' {
		body, suffix = token[:len(token)-1], c
	}
	digits := bytes.TrimPrefix(body, []byte("-"))
	onlyDigits := len(digits) > 0 && len(bytes.Trim(digits, "0123456789")) == 0
	switch {
	case suffix == 'i' && onlyDigits:
		v, err := strconv.ParseInt(string(body), 10, 64)
		if err != nil {
			return 0, 0, refusal(fmt.Sprintf("unable to parse integer %s: %s", body, err))
		}
		return model.Integer, uint64(v), nil
	case suffix == 'u' && onlyDigits && r.unsigned && body[0] != '-':
		v, err := strconv.ParseUint(string(body), 10, 64)
		if err != nil {
			return 0, 0, refusal(fmt.Sprintf("unable to parse unsigned %s: %s", body, err))
		}
		return model.Unsigned, v, nil
	case suffix == 0 && looksLikeFloat(token):
		return 0, 0, invalidFloat
	}
	return 0, 0, invalidNumber
}

// looksLikeFloat reports whether InfluxDB gets as far as converting the token:
// digits, at most one point, and exponent signs in any number and place but the
// first.
func looksLikeFloat(token []byte) bool {
	point, digits := false, 0
	for i, c := range token {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && !point:
			point = true
		case (c == 'e' || c == 'E') && i > 0:
			digits++ // InfluxDB counts it as one
		case c == '-' && i == 0:
		case (c == '-' || c == '+') && i > 0 && (token[i-1] == 'e' || token[i-1] == 'E'):
			digits++
		default:
			return false
		}
	}
	return digits > 0
}

// checkFieldKeys reads the fields as storeFields does and checks only what
// InfluxDB checks before it has read the time.
func checkFieldKeys(fields []byte, keyBytes int) error {
	for len(fields) > 0 {
		end := indexBare(fields, 0, "=")
		if end > len(fields)-2 {
			return refusal(fmt.Sprintf("invalid value: field-key=%s", fields[:end]))
		}
		if n := keyBytes + fieldKeySeparator + end; n > maxKeyBytes {
			return keyTooLong(n)
		}
		fields = fields[end+1:]
		fields = fields[fieldValueEnd(fields):]
		if len(fields) > 0 {
			fields = fields[1:]
		}
	}
	return nil
}

// fieldValueEnd finds the end of the value that b starts with. A backslash
// takes only a quote or a backslash out of sight.
func fieldValueEnd(b []byte) int {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\\' && i+1 < len(b) && (b[i+1] == '"' || b[i+1] == '\\'):
			i++
		case b[i] == '"':
			quoted = !quoted
		case b[i] == ',' && !quoted:
			return i
		}
	}
	return len(b)
}

// storeFields reads the fields that checkFields and checkFieldKeys let pass.
func (r *reference) storeFields(fields []byte, p *point) error {
	for len(fields) > 0 {
		end := indexBare(fields, 0, "=")
		f := fieldValue{raw: fields[:end], name: r.unescape(fields[:end], ", =\"")}
		fields = fields[end+1:]
		end = fieldValueEnd(fields)
		if err := r.value(fields[:end], &f); err != nil {
			return err
		}
		if len(f.name) == 0 {
			return missingFieldKey
		}
		p.addField(f)
		if end == len(fields) {
			return nil
		}
		fields = fields[end+1:]
	}
	return nil
}

// value reads a whole value. Its refusals are of lines on which InfluxDB
// panics or answers 500.
func (r *reference) value(token []byte, f *fieldValue) error {
	if len(token) == 0 {
		return missingFieldValue
	}
	switch c := token[0]; {
	case c == '"':
		if len(token) == 1 {
			return unbalancedQuotes
		}
		// The last byte is taken for the closing quote, whatever it is.
		f.typ, f.text = model.String, r.unescape(token[1:len(token)-1], `"\`)
		return nil
	case c >= '0' && c <= '9' || c == '-' || c == '.':
		typ, bits, err := r.number(token)
		if err == nil && typ == model.Float && math.IsInf(math.Float64frombits(bits), 0) {
			err = invalidNumber
		}
		f.typ, f.bits = typ, bits
		return err
	}
	bits, n := readBoolean(token)
	if n != len(token) {
		return invalidBoolean
	}
	f.typ, f.bits = model.Boolean, bits
	return nil
}

// readTime reads the timestamp from i to the end of the line.
func (p *point) readTime(line []byte, i int, precision Precision) error {
	start := skipBlanks(line, i)
	i = start
	for i < len(line) && line[i] != '\n' && line[i] != ' ' {
		if (line[i] < '0' || line[i] > '9') && (line[i] != '-' || i > start) {
			return badTimestamp
		}
		i++
	}
	if i == start {
		return nil
	}
	v, err := strconv.ParseInt(string(line[start:i]), 10, 64)
	if err != nil {
		return err
	}
	ns, ok := precision.nanoseconds(v)
	if !ok {
		return timeOutsideRange
	}
	if len(bytes.TrimLeft(line[i:], " ")) > 0 {
		return invalidPoint
	}
	p.time, p.timed = ns, true
	return nil
}

// unescape gives b without the backslashes before special bytes.
func (r *reference) unescape(b []byte, special string) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	start := len(r.scratch)
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && strings.IndexByte(special, b[i+1]) >= 0 {
			i++
		}
		r.scratch = append(r.scratch, b[i])
	}
	return r.scratch[start:len(r.scratch):len(r.scratch)]
}

// indexBare finds, from i on, the first of stops that has no backslash before
// it, or gives the length of b.
func indexBare(b []byte, i int, stops string) int {
	for ; i < len(b); i++ {
		if strings.IndexByte(stops, b[i]) >= 0 && (i == 0 || b[i-1] != '\\') {
			return i
		}
	}
	return len(b)
}

func skipBlanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == 0) {
		i++
	}
	return i
}

// lineEnd finds where the line that starts at i ends. Newlines in quotes belong
// to the line, as does one after a backslash.
func lineEnd(b []byte, i int) int {
	plain := bytes.IndexByte(b[i:], '\n')
	if plain < 0 {
		plain = len(b) - i
	}
	if line := b[i : i+plain]; bytes.IndexByte(line, '"') < 0 && bytes.IndexByte(line, '\\') < 0 {
		return i + plain
	}
	quoted, fields := false, false
	equals, commas := 0, 0
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && i+2 < len(b):
			i++
		case c == ' ':
			fields = true
		case c == '\n' && !quoted:
			return i
		case !fields:
		case c == '"' && equals > commas:
			quoted = !quoted
		case c == '=' && !quoted:
			equals++
		case c == ',' && !quoted:
			commas++
		}
	}
	return len(b)
}
