package httpapi

import (
	"strings"

	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
)

const (
	// refusedLines is how many bad lines of a request are logged; all are counted.
	refusedLines = 10
	// refusedBytes bounds each of them.
	refusedBytes = 200
)

// refused logs why lines and points of a write are not stored: of InfluxDB's
// answer collectors keep the first, if any. What was sent to the wrong path may
// have a password in it.
func (s *Server) refused(to target, bad error, drops lineprotocol.Drops) {
	args := []any{"database", to.database, "user", to.user}
	if bad != nil {
		lines := strings.SplitN(bad.Error(), "\n", refusedLines+1)
		lines = lines[:min(len(lines), refusedLines)]
		for i, line := range lines {
			lines[i] = brief(query.Redact(line))
		}
		args = append(args, "lines", lines)
	}
	if drops.Count > 0 {
		args = append(args, "dropped", drops.Count, "reason", brief(drops.Reason))
	}
	s.refusals.Warn("points refused", args...)
}

// brief cuts what is too long for a log: the beginning and the end stay, where a
// line's measurement and the reason are.
func brief(text string) string {
	if len(text) <= refusedBytes {
		return text
	}
	const half = refusedBytes / 2
	return strings.ToValidUTF8(text[:half], "") + " … " + strings.ToValidUTF8(text[len(text)-half:], "")
}
