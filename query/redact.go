package query

import (
	"errors"
	"regexp"
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// Redacted stands where a password was.
const Redacted = "[REDACTED]"

// passwordRE finds where a password follows: behind the keyword, or behind the
// name of a user and an equals sign. Between the words may be white space and
// comments. A name in quotes may have anything in it.
var passwordRE = regexp.MustCompile(`(?is)\bpassword\b` + gap + `(?:for\b` + gap + `(?:"(?:[^"\\]|\\.)*"|[^\s="]+)` + gap + `=` + gap + `)?`)

const gap = `(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*`

// behindRE is what may follow a password in a statement that parses.
var behindRE = regexp.MustCompile(`(?is)^` + gap + `(?:$|;|with\b)`)

// Redact gives text that may have statements in it, with [REDACTED] in place of
// passwords and of credentials in URLs. It need not parse: where it is not sure how
// far a password goes, all behind it is left out. It is for what is logged and
// traced, where too little is better than too much.
func Redact(text string) string {
	var b strings.Builder
	text = RedactURLs(text)
	for {
		at := passwordRE.FindStringIndex(text)
		if at == nil {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:at[1]])
		text = text[at[1]:]
		n := passwordLen(text)
		if n > 0 {
			b.WriteString(Redacted)
		}
		text = text[n:]
	}
}

// passwordLen gives how many bytes of a text that begins with a password may be
// of it.
func passwordLen(text string) int {
	if strings.HasPrefix(text, Redacted) || text == "" {
		return 0
	}
	if text[0] == '\'' {
		if n := endOfQuoted(text, 0); n > 1 && text[n-1] == '\'' && behindRE.MatchString(text[n:]) {
			return n
		}
	}
	return len(text)
}

var (
	// userRE finds who a URL is for, up to its last @: also where a password has in
	// it what is to be escaped, and then is no part of a URL.
	userRE = regexp.MustCompile(`://\S*@`)
	// parameterRE finds the parameters of a URL that are secret.
	parameterRE = regexp.MustCompile(`(?i)([?&](?:p|password|token|access_token)=)[^&#\s'"]*`)

	// These are for a text that is one URL, where no quote ends it.
	wholeUserRE      = regexp.MustCompile(`(?s)://.*@`)
	wholeParameterRE = regexp.MustCompile(`(?i)([?&](?:p|password|token|access_token)=)[^&#]*`)
)

// RedactURLs gives text with [REDACTED] in place of the credentials in URLs. It is
// for texts that are shown to clients, which have no passwords of statements.
func RedactURLs(text string) string {
	text = userRE.ReplaceAllString(text, "://"+Redacted+"@")
	return parameterRE.ReplaceAllString(text, "${1}"+Redacted)
}

// printed gives statements as text without secrets, as they were written but for
// white space. They are then good for nothing else.
func printed(statements ...influxql.Statement) string {
	var texts []string
	for _, stmt := range statements {
		asWritten(stmt)
		if create, ok := stmt.(*influxql.CreateSubscriptionStatement); ok {
			hidden := *create
			hidden.Destinations = withoutCredentials(create.Destinations)
			stmt = &hidden
		}
		texts = append(texts, stmt.String()) // the parser hides the passwords
	}
	return strings.Join(texts, ";\n")
}

// withoutCredentials gives copies of the destinations of a subscription.
func withoutCredentials(urls []string) []string {
	out := make([]string, len(urls))
	for i, u := range urls {
		u = wholeUserRE.ReplaceAllString(u, "://"+Redacted+"@")
		out[i] = wholeParameterRE.ReplaceAllString(u, "${1}"+Redacted)
	}
	return out
}

// hideURLs gives an error of the same kind whose text has no credentials of URLs
// that it may repeat.
func hideURLs(err error, urls []string) error {
	e := (*model.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	text := e.Text
	for i, hidden := range withoutCredentials(urls) {
		text = strings.ReplaceAll(text, urls[i], hidden)
	}
	return &model.Error{Kind: e.Kind, Text: text}
}
