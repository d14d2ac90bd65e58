package query

import (
	"errors"
	"strings"
	"testing"

	"github.com/influxdata/influxql"
)

func TestStatementsAboutUsersReachTheCatalog(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`CREATE USER u WITH PASSWORD 'p w'`, "create user u p w admin false"},
		{`CREATE USER "a b" WITH PASSWORD '' WITH ALL PRIVILEGES`, "create user a b  admin true"},
		{`DROP USER u`, "drop user u"},
		{`SET PASSWORD FOR u = 'new'`, "set password u new"},
		{`GRANT READ ON db TO u`, "grant READ on db to u"},
		{`GRANT WRITE ON db TO u`, "grant WRITE on db to u"},
		{`GRANT ALL ON db TO u`, "grant ALL PRIVILEGES on db to u"},
		{`GRANT ALL PRIVILEGES ON db TO u`, "grant ALL PRIVILEGES on db to u"},
		{`REVOKE READ ON db FROM u`, "revoke READ on db from u"},
		{`REVOKE ALL ON db FROM u`, "revoke ALL PRIVILEGES on db from u"},
		{`GRANT ALL TO u`, "set admin u true"},
		{`GRANT ALL PRIVILEGES TO u`, "set admin u true"},
		{`REVOKE ALL PRIVILEGES FROM u`, "set admin u false"},
	} {
		b := newBench(t, DefaultConfig())
		got := b.run(t, Request{Text: c.text})
		if did := strings.Join(b.catalog.calls, "; "); did != c.want || c.want != "" && got != "#0\n" {
			t.Errorf("%s\n gave %q and did %q, want %q", c.text, got, did, c.want)
		}
	}
}

func TestUsersAndGrantsAreShownAsByInfluxDB(t *testing.T) {
	b := newBench(t, DefaultConfig())
	for _, c := range []struct{ text, want string }{
		{`SHOW USERS`, "#0 (user,admin)\n"},
		{`SHOW GRANTS FOR u`, "#0 error: user not found\n"},
	} {
		if got := b.run(t, Request{Text: c.text}); got != c.want {
			t.Errorf("%s\n got %s want %s", c.text, got, c.want)
		}
	}
	b.catalog.users = []Account{
		{Name: "z", Admin: true},
		{Name: "u", Grants: []Grant{{"a", influxql.AllPrivileges}, {"b", influxql.ReadPrivilege}, {"c", influxql.WritePrivilege}, {"d", influxql.NoPrivileges}}},
	}
	for _, c := range []struct{ text, want string }{
		{`SHOW USERS`, "#0 (user,admin) z true u false\n"},
		{`SHOW GRANTS FOR z`, "#0 (database,privilege)\n"},
		{`SHOW GRANTS FOR u`, "#0 (database,privilege) a ALL PRIVILEGES b READ c WRITE d NO PRIVILEGES\n"},
	} {
		if got := b.run(t, Request{Text: c.text}); got != c.want {
			t.Errorf("%s\n got %s want %s", c.text, got, c.want)
		}
	}
}

// What others may see of a request never has the password in it.
func TestPasswordsShowNowhere(t *testing.T) {
	const secret = "tops3cret"
	for _, text := range []string{
		`CREATE USER u WITH PASSWORD '` + secret + `'`,
		`SET PASSWORD FOR u = '` + secret + `'`,
	} {
		b := newBench(t, DefaultConfig())
		shown := ""
		b.catalog.hook = func() { shown = b.run(t, Request{Text: "SHOW QUERIES"}) }
		b.catalog.err = errors.New("refused")
		result := b.run(t, Request{Text: text})
		if !strings.Contains(shown, "[REDACTED]") || strings.Contains(shown, secret) {
			t.Errorf("%s: SHOW QUERIES gave %s", text, shown)
		}
		b.catalog.err = nil
		warned := b.run(t, Request{Text: text, ReadOnly: true})
		if !strings.Contains(warned, "[REDACTED]") {
			t.Errorf("%s by GET gave %s", text, warned)
		}
		b.catalog.hook = func() { panic("a fault") }
		failed := b.run(t, Request{Text: text})
		for _, seen := range []string{result, warned, failed, b.logged.String()} {
			if strings.Contains(seen, secret) {
				t.Errorf("%s: the password is in %s", text, seen)
			}
		}
	}
}
