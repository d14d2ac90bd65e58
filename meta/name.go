package meta

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNameBytes is InfluxDB's bound on names of databases and policies.
const maxNameBytes = 255

// checkName applies InfluxDB's rules to the name of a database or a policy.
// InfluxDB also takes broken UTF-8, which no client could ask for again.
func checkName(name string) error {
	switch {
	case name == "", name == ".", name == "..", strings.ContainsAny(name, `/\`), !utf8.ValidString(name):
		return invalid("invalid name")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return invalid("invalid name")
	case len(name) > maxNameBytes:
		return invalid("name too long")
	}
	return nil
}
