package hostile

import (
	"fmt"
	"strings"
	"time"
)

const soon = 100 * time.Millisecond

// texts are queries that are hostile by what is written in them.
var texts = []row{
	{number: 31, input: "129 parentheses", want: `^400 .*nested`, within: soon, send: func(s *server) string { return s.ask(parentheses(129)) }},
	{number: 31, input: "200,000 parentheses", want: `^400 .*too complex`, within: soon, flat: true, send: func(s *server) string { return s.ask(parentheses(200_000)) }},
	{number: 31, input: "1.5 million parentheses", want: `^400 .*too complex`, within: soon, flat: true, send: func(s *server) string { return s.ask(parentheses(1_500_000)) }},
	{number: 32, input: "subqueries 9 deep", want: `^400 .*nested`, within: soon, send: func(s *server) string { return s.ask(subqueries(9)) }},
	{number: 32, input: "subqueries 20,000 deep", want: `^400 .*too complex`, within: soon, flat: true, send: func(s *server) string { return s.ask(subqueries(20_000)) }},
	{
		number: 33, input: "a million minus signs", want: `^400 .*too complex`, within: soon, flat: true,
		send: func(s *server) string { return s.ask("SELECT " + strings.Repeat("- ", 1_000_000) + "v FROM m") },
	},
	{
		number: 34, input: "200,000 OR", want: `^400 .*too complex`, within: soon, flat: true,
		send: func(s *server) string {
			return s.ask("SELECT v FROM m WHERE t = 'a'" + strings.Repeat(" OR t = 'a'", 200_000))
		},
	},
	{
		number: 34, input: "9,000 OR", want: `^200$`,
		prepare: onePoint,
		send: func(s *server) string {
			return s.ask("SELECT v FROM m WHERE t = 'a'" + strings.Repeat(" OR t = 'a'", 9000))
		},
	},
	{
		number: 35, input: "GROUP BY time(1ns) over ten years", want: `^200 max-select-buckets limit exceeded`, within: soon, flat: true,
		prepare: onePoint,
		send: func(s *server) string {
			return s.ask("SELECT count(v) FROM m WHERE time > now() - 520w GROUP BY time(1ns)")
		},
	},
	{
		number: 36, input: "GROUP BY time(1ns) from the beginning of time", want: `^200 max-select-buckets limit exceeded`, within: soon, flat: true,
		prepare: func(s *server) { s.write("m v=1 1"); onePoint(s) },
		send:    func(s *server) string { return s.ask("SELECT count(v) FROM m GROUP BY time(1ns)") },
	},
	{
		number: 37, input: "GROUP BY time(1ns), * fill(0) over a second and a million series", want: `^200 .*limit exceeded|^200 .*memory`, within: 20 * time.Second,
		prepare: big, heavy: true,
		send: func(s *server) string {
			return s.ask("SELECT count(v) FROM big..many WHERE time >= '2024-01-01T00:00:00Z' AND time < '2024-01-01T00:00:00.01Z' GROUP BY time(1ns), * fill(0)")
		},
	},
	{number: 38, input: "LIMIT of 2⁶³", want: `^200$`, within: soon, prepare: onePoint, send: func(s *server) string {
		return s.ask("SELECT v FROM m LIMIT 9223372036854775808")
	}},
	{number: 38, input: "LIMIT and OFFSET of 2⁶³-1", want: `^200$`, within: soon, prepare: onePoint, send: func(s *server) string {
		return s.ask("SELECT v FROM m LIMIT 9223372036854775807 OFFSET 9223372036854775807 SLIMIT 9223372036854775807 SOFFSET 9223372036854775807")
	}},
	{
		number: 39, input: "(a+)+$ on a string of 100 kB", want: `^200$`, within: time.Second, flat: true,
		prepare: func(s *server) { s.write(`m s="` + strings.Repeat("a", 100_000) + `b" 1`) },
		send:    func(s *server) string { return s.ask("SELECT count(s) FROM m WHERE s =~ /(a+)+$/") },
	},
	{number: 40, input: "a regular expression with 1,000 repeats", want: `^200$`, within: time.Second, flat: true, prepare: onePoint, send: func(s *server) string {
		return s.ask("SELECT v FROM m WHERE t =~ /a{1000}/")
	}},
	{number: 40, input: "1,000 repeats of 1,000 repeats", want: `^400 error parsing query`, within: time.Second, flat: true, prepare: onePoint, send: func(s *server) string {
		return s.ask("SELECT v FROM m WHERE t =~ /(a{1000}){1000}/")
	}},
	{number: 41, input: "a regular expression of 100 kB", want: `^400 .*regular expression`, within: time.Second, flat: true, prepare: onePoint, send: func(s *server) string {
		return s.ask("SELECT v FROM m WHERE t =~ /" + strings.Repeat("ab|", 33_000) + "/")
	}},
	{
		number: 41, input: "a regular expression of 23 kB that takes 500 MB when compiled", want: `^400 .*regular expressions that are too large`, within: soon, flat: true, prepare: onePoint,
		send: func(s *server) string {
			return s.ask("SELECT v FROM m WHERE t =~ /" + strings.Repeat(".{1000}", 3300) + "/")
		},
	},
	{
		number: 41, input: "a regular expression of 60 kB that takes a minute to compile", want: `^400 .*regular expressions that are too large`, within: soon, flat: true, prepare: onePoint,
		send: func(s *server) string {
			return s.ask("SELECT v FROM m WHERE t =~ /(?i)" + strings.Repeat(`[b-\x{1E942}]`, 4600) + "/")
		},
	},
	{
		number: 42, input: ".* on a million values", want: `^200`, prepare: big, heavy: true,
		send: func(s *server) string { return s.ask("SELECT v FROM big..many WHERE s =~ /.*/") },
	},
}

func parentheses(n int) string {
	return "SELECT " + strings.Repeat("(", n) + "v" + strings.Repeat(")", n) + " FROM m"
}

// subqueries gives a SELECT with n others in it, one in the other.
func subqueries(n int) string {
	return strings.Repeat("SELECT v FROM (", n) + "SELECT v FROM m" + strings.Repeat(")", n)
}

func onePoint(s *server) {
	s.write(fmt.Sprintf("m,t=a v=1 %d", time.Now().UnixNano()))
}
