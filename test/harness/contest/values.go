package contest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Values reads all values of the field of the series with this value of the tag host, by
// time: float64, string or bool.
func (r *Run) Values(measurement, field, host string) ([]any, error) {
	if r.Entrant.prometheus() {
		return r.export(fmt.Sprintf("%s_%s{host=%q}", measurement, field, host))
	}
	rows, err := r.Query("bench", fmt.Sprintf("SELECT %s FROM %s WHERE host = '%s'", field, measurement, host))
	if err != nil {
		return nil, err
	}
	values := make([]any, 0, len(rows))
	for _, row := range rows {
		values = append(values, row[1])
	}
	return values, nil
}

// export reads the raw values of one series of Prometheus's kind.
func (r *Run) export(selector string) (values []any, err error) {
	resp, err := http.Get(r.URL + "/api/v1/export?start=0&match[]=" + url.QueryEscape(selector))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("export %s: %s", selector, resp.Status)
	}
	for d := json.NewDecoder(resp.Body); ; {
		var line struct{ Values []any }
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return values, nil
		} else if err != nil {
			return nil, err
		}
		values = append(values, line.Values...)
	}
}
