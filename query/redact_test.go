package query

import (
	"errors"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
)

func TestRedactHidesPasswordsAlsoInTextsThatDoNotParse(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`CREATE USER u WITH PASSWORD 'canary'`, `CREATE USER u WITH PASSWORD [REDACTED]`},
		{`CREATE USER u WITH PASSWORD 'canary' WITH ALL PRIVILEGES`, `CREATE USER u WITH PASSWORD [REDACTED] WITH ALL PRIVILEGES`},
		{`create user u with password'canary'; SHOW USERS`, `create user u with password[REDACTED]; SHOW USERS`},
		{`SET PASSWORD FOR u = 'canary'`, `SET PASSWORD FOR u = [REDACTED]`},
		{"set password\n for \"it's = 1\" \t='canary' ; SELECT 1", "set password\n for \"it's = 1\" \t=[REDACTED] ; SELECT 1"},
		{`SET PASSWORD FOR "a\"b" = 'can\'ary'`, `SET PASSWORD FOR "a\"b" = [REDACTED]`},
		{`CREATE USER u WITH PASSWORD /* c */ 'canary' -- the end`, `CREATE USER u WITH PASSWORD /* c */ [REDACTED] -- the end`},
		{`-- CREATE USER u WITH PASSWORD 'canary'`, `-- CREATE USER u WITH PASSWORD [REDACTED]`},
		{`CREATE USER a WITH PASSWORD 'canary'; CREATE USER b WITH PASSWORD 'canary'`, `CREATE USER a WITH PASSWORD [REDACTED]; CREATE USER b WITH PASSWORD [REDACTED]`},
		// What does not parse.
		{`CREATE USER u WITH PASSWORD canary`, `CREATE USER u WITH PASSWORD [REDACTED]`},
		{`CREATE USER u WITH PASSWORD "canary"`, `CREATE USER u WITH PASSWORD [REDACTED]`},
		{`CREATE USER u WITH PASSWORD 'canary`, `CREATE USER u WITH PASSWORD [REDACTED]`},
		{`CREATE USER u WITH PASSWORD 'it''s canary'`, `CREATE USER u WITH PASSWORD [REDACTED]`},
		{`CREATE USER u WITH PASSWORD '` + "a\ncanary'", `CREATE USER u WITH PASSWORD [REDACTED]`},
		{`CREATE USER u WITH PASSWORD = 'canary'`, `CREATE USER u WITH PASSWORD [REDACTED]`},
		{`CREATE USER u PASSWORD canary; SHOW USERS`, `CREATE USER u PASSWORD [REDACTED]`},
		{`SET PASSWORD FOR u 'canary'`, `SET PASSWORD [REDACTED]`},
		{`SET PASSWORD FOR 'u' = 'canary'`, `SET PASSWORD FOR 'u' = [REDACTED]`},
		{`SET PASSWORD u = 'canary'`, `SET PASSWORD [REDACTED]`},
		{`SET PASSWORD FOR u = canary`, `SET PASSWORD FOR u = [REDACTED]`},
		{`CREATE USER u WITH PASSWORD`, `CREATE USER u WITH PASSWORD`},
		{`SET PASSWORD FOR u = [REDACTED]`, `SET PASSWORD FOR u = [REDACTED]`},
		// URLs.
		{`CREATE SUBSCRIPTION s ON d.p DESTINATIONS ALL 'http://me:canary@h:8086', 'udp://h:1'`, `CREATE SUBSCRIPTION s ON d.p DESTINATIONS ALL 'http://[REDACTED]@h:8086', 'udp://h:1'`},
		{`http://me:can@ary@h:1/?u=a&p=canary&db=d`, `http://[REDACTED]@h:1/?u=a&p=[REDACTED]&db=d`},
		{`'http://me:can/ary@h:1', 'http://me:can?a#ry@h:1/x'`, `'http://[REDACTED]@h:1', 'http://[REDACTED]@h:1/x'`}, // not escaped, and no URLs then
		{`/query?q=SHOW+USERS&P=canary`, `/query?q=SHOW+USERS&P=[REDACTED]`},
		{`http://h:8086/write?token=canary#x`, `http://h:8086/write?token=[REDACTED]#x`},
		// What is none.
		{`SELECT mean(v) FROM passwords WHERE host = 'a'`, `SELECT mean(v) FROM passwords WHERE host = 'a'`},
		{`http://h:8086/write?db=d&precision=s`, `http://h:8086/write?db=d&precision=s`},
	} {
		if got := Redact(c.text); got != c.want {
			t.Errorf("Redact(%q)\n got %q\nwant %q", c.text, got, c.want)
		}
	}
}

func TestParserErrorsDoNotRepeatPasswords(t *testing.T) {
	for _, text := range []string{
		`CREATE USER u WITH PASSWORD canary`,
		`CREATE USER u WITH PASSWORD "canary"`,
		`SET PASSWORD 'canary' FOR u`,
		`SET PASSWORD FOR u 'canary'`,
		`SET PASSWORD FOR u = canary`,
		`CREATE USER u PASSWORD 'canary'`,
	} {
		_, err := (&Request{Text: text}).parse()
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: error %v", text, err)
		}
	}
	_, err := (&Request{Text: `CREATE USER bad WITH PASSWORD`}).parse()
	if want := "error parsing query: found EOF, expected string at line 1, char 31"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// FuzzRedact plants a password where statements have it.
func FuzzRedact(f *testing.F) {
	f.Add("", "secret", "")
	f.Add("-- x\n", `it\'s`, " WITH ALL PRIVILEGES")
	f.Add("SET PASSWORD FOR u = 'x';", "a;b", ";")
	f.Fuzz(func(t *testing.T, before, password, after string) {
		const canary = "c4n4ry"
		for _, text := range []string{
			before + " CREATE USER u WITH PASSWORD '" + password + canary + "'" + after,
			before + " SET PASSWORD FOR u = '" + password + canary + "'" + after,
		} {
			if strings.Contains(before+after, canary) {
				t.Skip()
			}
			q, err := (&Request{Text: text}).parse()
			if got := Redact(text); strings.Contains(got, canary) && err == nil && !strings.Contains(q.String(), canary) {
				t.Errorf("Redact(%q) = %q", text, got)
			}
		}
	})
}

// What a quote or a blank is in, ends elsewhere in other texts.
func TestDestinationsAreShownWithoutCredentials(t *testing.T) {
	for url, want := range map[string]string{
		"http://me:canary@h:1":                "http://[REDACTED]@h:1",
		"http://me:it's\"a canary@h:1/x":      "http://[REDACTED]@h:1/x",
		"http://me:can/ary?@h:1":              "http://[REDACTED]@h:1",
		"http://h:1/write?u=me&p=it's canary": "http://h:1/write?u=me&p=[REDACTED]",
		"http://h:1/write?token=it's&db=d#x":  "http://h:1/write?token=[REDACTED]&db=d#x",
		"udp://h:1":                           "udp://h:1",
		"":                                    "",
	} {
		if got := withoutCredentials([]string{url})[0]; got != want {
			t.Errorf("%s is shown as %s, want %s", url, got, want)
		}
		refused := &model.Error{Kind: model.ErrInvalid, Text: "invalid subscription URL: " + url}
		if got := hideURLs(refused, []string{"udp://other:1", url}); !errors.Is(got, model.ErrInvalid) || got.Error() != "invalid subscription URL: "+want {
			t.Errorf("it is refused with %v", got)
		}
	}
}
