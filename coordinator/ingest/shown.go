package ingest

// maxLogged bounds what a line of the log shows of what was received.
const maxLogged = 200

// shown cuts what was received for the log.
func shown(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged] + "…"
	}
	return s
}
