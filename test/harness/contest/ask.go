package contest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"
)

// InfluxQL asks the database bench and gives the values of all rows of all
// series, one after the other.
func (r *Run) InfluxQL(text string) (values []any, err error) {
	rows, err := r.Query("bench", text)
	for _, row := range rows {
		values = append(values, row...)
	}
	return values, err
}

// MetricsQL asks VictoriaMetrics for a range with this step, or with none for
// what is at its end, and wants an answer that is not empty. It keeps no answers
// for the next time.
func (r *Run) MetricsQL(text, step string, start, end time.Time) error {
	at := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	path, args := "/api/v1/query", url.Values{"query": {text}, "nocache": {"1"}, "time": {at(end)}}
	if step != "" {
		path = "/api/v1/query_range"
		args = url.Values{"query": {text}, "nocache": {"1"}, "start": {at(start)}, "end": {at(end)}, "step": {step}}
	}
	return r.get(path+"?"+args.Encode(), func(body io.Reader) error {
		var doc struct {
			Data struct{ Result []json.RawMessage }
		}
		if err := json.NewDecoder(body).Decode(&doc); err != nil {
			return err
		}
		if len(doc.Data.Result) == 0 {
			return fmt.Errorf("%s: no rows", text)
		}
		return nil
	})
}
