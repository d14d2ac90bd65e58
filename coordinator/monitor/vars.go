package monitor

import (
	"bytes"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/varvedb/varve/query"
)

// Vars answers GET /debug/vars: one JSON object with what the process is and,
// under a key of its own, each statistic. Telegraf's inputs.influxdb reads it.
func (m *Monitor) Vars() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all, err := m.Statistics(r.Context())
		if err != nil {
			http.Error(w, "statistics cannot be told", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(m.vars(all, time.Now())) // the client has gone otherwise
	})
}

// statisticJSON is a statistic in /debug/vars.
type statisticJSON struct {
	Name   string            `json:"name"`
	Tags   map[string]string `json:"tags"`
	Values map[string]int64  `json:"values"`
}

// vars gives the object, a line for each key.
func (m *Monitor) vars(all []query.Statistic, now time.Time) []byte {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	out := &object{}
	out.add("system", map[string]any{
		"currentTime": now.UTC(), "started": m.parts.Started.UTC(), "uptime": int64(now.Sub(m.parts.Started).Seconds()),
	})
	out.add("build", map[string]string{"Branch": "unknown", "BuildTime": "", "Commit": "unknown", "Version": m.parts.Version})
	out.add("cmdline", m.parts.CommandLine)
	out.add("config", m.parts.Settings)
	out.add("memstats", &memory)
	for i := range all {
		s := &all[i]
		tags := make(map[string]string, len(s.Tags))
		for _, t := range s.Tags {
			tags[t.Key] = t.Value
		}
		out.add(keyOf(s.Name, tags), statisticJSON{s.Name, tags, s.Values})
	}
	return out.end()
}

// keyOf gives the key of a statistic: its name and those of its tags that tell
// it apart, as InfluxDB has them.
func keyOf(name string, tags map[string]string) string {
	key := []string{name}
	for _, set := range [][]string{{"path", "id"}, {"proto", "bind"}, {"database", "retention_policy", "name", "destination"}} {
		for _, tag := range set {
			if value := tags[tag]; value != "" {
				key = append(key, value)
			}
		}
		if len(key) > 1 {
			break
		}
	}
	return strings.Join(key, ":")
}

// object is a JSON object while it is written.
type object struct{ text bytes.Buffer }

// add adds a key. What cannot be JSON, as no value here, is left out.
func (o *object) add(key string, value any) {
	name, err := json.Marshal(key)
	if err != nil {
		return
	}
	text, err := json.Marshal(value)
	if err != nil {
		return
	}
	if o.text.Len() == 0 {
		o.text.WriteString("{\n")
	} else {
		o.text.WriteString(",\n")
	}
	o.text.Write(name)
	o.text.WriteString(": ")
	o.text.Write(text)
}

func (o *object) end() []byte {
	o.text.WriteString("\n}\n")
	return o.text.Bytes()
}
