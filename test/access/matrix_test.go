package access

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// A matrix is what the file has: for each statement who may run it on which
// database.
//
//	== SHOW SERIES[ ON $db]
//	# Why InfluxDB differs, where it does.
//	none       READ          READ          READ
//	read       ok own        READ          READ
//	all        ok own        READ <ok>     READ
//
// The columns are a database of which the user has what his name says, another,
// and none. A cell is 401; what is required, where it is refused; or ok and the
// databases that are seen in the answer. In angle brackets is what InfluxDB
// answers, where that is something else.
//
// $db is the database and $user who asks. For no database, what is in brackets is
// left out, and $db elsewhere is one that there is not. A statement that has no $db
// in it is asked in the database, as with USE; one behind @own always in the user's
// own. What changes something comes after what shows it, and nothing is undone.
type matrix struct {
	intro   []string
	entries []*entry
}

type entry struct {
	statement string
	inOwn     bool // asked in the user's own database
	notes     []string
	cells     map[string][3]cell
}

// cell is what varved answers, and InfluxDB; "" there where it is the same.
type cell struct{ ours, theirs string }

var (
	users     = []string{"anonymous", "none", "read", "write", "all", "admin"}
	databases = []string{"own", "other", "none"}
)

const inOwn = "@own "

func readMatrix(t *testing.T, file string) *matrix {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := &matrix{}
	var e *entry
	for _, line := range strings.Split(string(b), "\n") {
		switch {
		case strings.HasPrefix(line, "== "):
			e = &entry{cells: map[string][3]cell{}}
			e.statement, e.inOwn = strings.CutPrefix(line[3:], inOwn)
			m.entries = append(m.entries, e)
		case e == nil:
			m.intro = append(m.intro, line)
		case strings.HasPrefix(line, "#"):
			e.notes = append(e.notes, line)
		case line != "":
			user, rest, _ := strings.Cut(line, "|")
			var row [3]cell
			for i, text := range strings.SplitN(rest, "|", 3) {
				ours, theirs, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(text), ">"), "<")
				row[i] = cell{strings.TrimSpace(ours), theirs}
			}
			e.cells[strings.TrimSpace(user)] = row
		}
	}
	return m
}

func (m *matrix) write(t *testing.T, file string) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(strings.Join(m.intro, "\n") + "\n")
	for i, e := range m.entries {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "== %s\n", e.heading())
		for _, n := range e.notes {
			b.WriteString(n + "\n")
		}
		for _, u := range users {
			line := fmt.Sprintf("%-10s", u)
			for _, c := range e.cells[u] {
				line += fmt.Sprintf("| %-22s", c)
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (e *entry) heading() string {
	if e.inOwn {
		return inOwn + e.statement
	}
	return e.statement
}

func (c cell) String() string {
	if c.theirs == "" {
		return c.ours
	}
	return c.ours + " <" + c.theirs + ">"
}

// differs reports whether InfluxDB answers something else anywhere.
func (e *entry) differs() bool {
	for _, row := range e.cells {
		if slices.ContainsFunc(row[:], func(c cell) bool { return c.theirs != "" }) {
			return true
		}
	}
	return false
}

// text gives the statement that a user asks of a database, and in which.
func (e *entry) text(user, database string) (text, in string) {
	text = e.statement
	if database == "none" {
		for {
			before, rest, found := strings.Cut(text, "[")
			_, after, closed := strings.Cut(rest, "]")
			if !found || !closed {
				break
			}
			text = before + after
		}
	}
	text = strings.NewReplacer("[", "", "]", "", "$db", nameOf(database), "$user", nameOfUser(user)).Replace(text)
	switch {
	case e.inOwn:
		in = nameOf("own")
	case !strings.Contains(e.statement, "$db") && database != "none":
		in = nameOf(database)
	}
	return text, in
}

// nameOf gives the name of a database: what is seen of it in an answer has the same
// ending.
func nameOf(database string) string { return "db_" + database }

// nameOfUser gives the name of a user, who has a password of that name.
func nameOfUser(user string) string { return "user_" + user }
