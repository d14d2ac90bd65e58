package hostile

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// lines are writes whose text is hostile.
var lines = []row{
	{
		number: 13, input: "series key of 65,536 bytes", want: `^400 unable to parse .*max key length exceeded: 65536 > 65535`,
		send: func(s *server) string { return s.write("m,t=" + strings.Repeat("a", 65536-4) + " v=1 1") },
	},
	{
		number: 14, input: "tag key of 64 KiB", want: `^400 unable to parse .*max key length exceeded: 65540 > 65535`,
		send: func(s *server) string { return s.write("m," + strings.Repeat("a", 65536) + "=b v=1 1") },
	},
	{
		number: 15, input: "300,000 fields in a line", want: `^400 .*max line length exceeded`, within: time.Second, flat: true,
		send: func(s *server) string { return s.write("m " + many("f%d=1", 300_000) + " 1") },
	},
	{
		number: 15, input: "4,097 fields in a line", want: `^400 .*4096`, within: time.Second, flat: true,
		send: func(s *server) string { return s.write("m " + many("f%d=1", 4097) + " 1") },
	},
	{
		number: 16, input: "100,000 tags in a line", want: `^400 `, within: time.Second, flat: true,
		send: func(s *server) string { return s.write("m," + many("t%d=a", 100_000) + " v=1 1") },
	},
	{
		number: 17, input: "a million lines, each a new series", want: `^204|^400 partial write: max-(series-per-database|values-per-tag) limit exceeded`, heavy: true,
		send: func(s *server) string { return s.write(manyLines("m,t=%d v=1 1", 1_000_000)) },
	},
	{
		number: 18, input: "a million lines of one series and one time", want: `^204$`,
		send: func(s *server) string { return s.write(strings.Repeat("m v=1 1\n", 1_000_000)) },
	},
	{
		number: 19, input: "times of 2⁶³, -2⁶³ and 2⁶³-1", want: `^400 .*bad timestamp; 400 .*bad timestamp|^400 .*time outside range`,
		send: func(s *server) string {
			return each(s.write, "m v=1 9223372036854775808", "m v=1 -9223372036854775808", fmt.Sprintf("m v=1 %d", int64(math.MaxInt64)))
		},
	},
	{
		number: 20, input: "one line of 1 GiB without an end", want: `^(413 Request Entity Too Large|closed without an answer)`, flat: true,
		send: func(s *server) string { return s.writeBody(endless("a", 1<<30)) },
	},
	{
		number: 20, input: "one string of 24 MB", want: `^400 `,
		send: func(s *server) string { return s.write(`m s="` + strings.Repeat("a", 24e6) + `" 1`) },
	},
	{number: 21, input: "measurement with NUL, with invalid UTF-8", want: `^204; 204`, send: byName("m%s v=1 1")},
	{number: 22, input: "tag value with NUL, with invalid UTF-8", want: `^204; 204`, send: byName("m,t=a%s v=1 1")},
	{number: 23, input: "field key with NUL, with invalid UTF-8", want: `^204; 204`, send: byName("m f%s=1 1")},
	{number: 24, input: "string with NUL, with invalid UTF-8", want: `^204; 204`, send: byName(`m v="a%s" 1`)},
	{
		number: 25, input: "database with NUL, with invalid UTF-8", want: `^404 database not found.*; 404 database not found`,
		send: func(s *server) string {
			return each(func(bad string) string {
				return s.send(http.MethodPost, "/write?db="+url.QueryEscape(s.db+bad), strings.NewReader("m v=1 1"))
			}, nameless...)
		},
	},
	{
		number: 25, input: "CREATE DATABASE with NUL, with invalid UTF-8", want: `^400 error parsing query: found x, expected identifier at line 1, char 16; 200$`,
		send: func(s *server) string {
			return each(func(bad string) string { return s.ask(`CREATE DATABASE "x` + bad + `"`) }, nameless...)
		},
	},
	{
		number: 26, input: "retention policy with NUL, with invalid UTF-8", want: `^500 retention policy not found.*; 500 retention policy not found`,
		send: func(s *server) string {
			return each(func(bad string) string { return s.writeWith("m v=1 1", "rp", "x"+bad) }, nameless...)
		},
	},
	{
		number: 27, input: "a field of another type than it has", want: `^400 partial write: field type conflict: input field "v" on measurement "m" is type string, already exists as type float dropped=1`,
		prepare: func(s *server) { s.write("m v=1 1") },
		send:    func(s *server) string { return s.writeWith(`m v="a" 2`, "consistency", "any") },
	},
	{number: 28, input: "NaN, Inf, 1e999", want: `^400 .*; 400 .*; 400 `, send: func(s *server) string {
		return each(s.write, "m v=NaN 1", "m v=Inf 1", "m v=1e999 1")
	}},
	{number: 29, input: "integer of 2⁶³", want: `^400 .*value out of range`, send: func(s *server) string {
		return s.write("m v=9223372036854775808i 1")
	}},
	{number: 30, input: "unsigned integer", want: `^400 .*invalid number`, send: func(s *server) string {
		return s.write("m v=1u 1")
	}},
}

// nameless are bytes that no name should have.
var nameless = []string{"\x00", "\xff"}

// byName writes a line with each of nameless in it and reads it back: what was
// taken must be readable, and what is read must be the JSON that it says.
func byName(line string) func(*server) string {
	return func(s *server) string {
		said := each(func(bad string) string { return s.write(fmt.Sprintf(line, bad)) }, nameless...)
		if status, text := s.query("SELECT * FROM /.*/; SHOW SERIES"); status != http.StatusOK || !validJSON(text) {
			return fmt.Sprintf("%s; read back: %d %s", said, status, short(text))
		}
		return said
	}
}

// each sends one after the other and joins what came.
func each(send func(string) string, inputs ...string) string {
	var all []string
	for _, input := range inputs {
		all = append(all, send(input))
	}
	return strings.Join(all, "; ")
}

// many gives n times a text with its number in it, with commas between.
func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// manyLines gives n lines with their number in them.
func manyLines(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", i)
	}
	return b.String()
}
