package meta

import (
	"fmt"
	"strings"
	"time"
)

// keyspace gives the keys of one cluster. Ids are 16 hexadecimal digits and
// times RFC 3339, so that keys sort like what they stand for.
type keyspace struct {
	root string // ends in a slash
}

func newKeyspace(cluster string) keyspace { return keyspace{root: "/varve/" + escape(cluster) + "/"} }

func (k keyspace) format() string             { return k.root + "format" }
func (k keyspace) ids() string                { return k.root + "ids" }
func (k keyspace) changed() string            { return k.root + "changed" }
func (k keyspace) node(id uint64) string      { return fmt.Sprintf("%snodes/%016x", k.root, id) }
func (k keyspace) alive(id uint64) string     { return fmt.Sprintf("%salive/%016x", k.root, id) }
func (k keyspace) secret(name string) string  { return k.root + "secrets/" + escape(name) }
func (k keyspace) database(uid uint64) string { return fmt.Sprintf("%sdatabases/%016x", k.root, uid) }
func (k keyspace) name(name string) string    { return k.root + "names/" + escape(name) }
func (k keyspace) user(uid uint64) string     { return fmt.Sprintf("%susers/%016x", k.root, uid) }
func (k keyspace) token(uid uint64) string    { return fmt.Sprintf("%stokens/%016x", k.root, uid) }
func (k keyspace) lease(name string) string   { return k.root + "leases/" + escape(name) }

// Continuous queries and how far they have come are below the uid of their
// database, so that they go with it.
func (k keyspace) continuousQueries(database uint64) string {
	return fmt.Sprintf("%scontinuous/%016x/", k.root, database)
}

func (k keyspace) continuousQuery(database, uid uint64) string {
	return fmt.Sprintf("%s%016x", k.continuousQueries(database), uid)
}

func (k keyspace) allProgress() string { return k.root + "progress/" }

func (k keyspace) databaseProgress(database uint64) string {
	return fmt.Sprintf("%s%016x/", k.allProgress(), database)
}

func (k keyspace) progress(database, uid uint64) string {
	return fmt.Sprintf("%s%016x", k.databaseProgress(database), uid)
}

func (k keyspace) databaseGroups(database uint64) string {
	return fmt.Sprintf("%sgroups/%016x/", k.root, database)
}

func (k keyspace) policyGroups(database, policy uint64) string {
	return fmt.Sprintf("%s%016x/", k.databaseGroups(database), policy)
}

func (k keyspace) group(database, policy uint64, start int64) string {
	return k.policyGroups(database, policy) + time.Unix(0, start).UTC().Format(time.RFC3339Nano)
}

func (k keyspace) schema(group uint64) string { return fmt.Sprintf("%sschema/%016x/", k.root, group) }

func (k keyspace) measurement(group uint64, name string) string {
	return k.schema(group) + escape(name)
}

// escape writes all but letters, digits and "-_." of ASCII as %XX, so that any
// name can stand in a key and be read there.
func escape(name string) string {
	plain := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// unescape is the inverse of escape. ok is false for what escape never writes.
func unescape(s string) (name string, ok bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b = append(b, byte(hi<<4|lo))
		i += 2
	}
	name = string(b)
	return name, escape(name) == s
}

const hexDigits = "0123456789ABCDEF"
