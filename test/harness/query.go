package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Query sends InfluxQL to a server as Grafana does in POST mode, with times in
// milliseconds, and gives the rows of all series of all statements. The error
// of a statement is an error.
func (p *Process) Query(db, text string) (rows [][]any, err error) {
	resp, err := p.post("/query?epoch=ms&db="+url.QueryEscape(db), "application/x-www-form-urlencoded", url.Values{"q": {text}}.Encode())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Error   string
		Results []struct {
			Error  string
			Series []struct{ Values [][]any }
		}
	}
	if err := json.Unmarshal(body, &doc); err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", text, resp.Status, body)
	}
	for _, r := range doc.Results {
		if r.Error != "" {
			return nil, errors.New(r.Error)
		}
		for _, s := range r.Series {
			rows = append(rows, s.Values...)
		}
	}
	return rows, nil
}

// Write sends lines of line protocol with times in nanoseconds.
func (p *Process) Write(db, lines string) error {
	resp, err := p.post("/write?db="+url.QueryEscape(db), "text/plain", lines)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("write: %s: %s", resp.Status, said)
	}
	return nil
}

func (p *Process) post(path, contentType, body string) (*http.Response, error) {
	r, err := http.NewRequest(http.MethodPost, p.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	if p.Account != nil {
		password, _ := p.Account.Password()
		r.SetBasicAuth(p.Account.Username(), password)
	}
	client := p.Client
	if client == nil {
		client = http.DefaultClient
	}
	return client.Do(r)
}
