// Command signed measures what it costs to ask who sends a write: the CPU time of a
// server that asks beside that of one that does not, for the same writes sent in
// turns, by each way of saying who it is.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/varvedb/varve/test/harness"
)

type config struct {
	binary                string
	rows, requests, turns int
}

func main() {
	var c config
	flag.StringVar(&c.binary, "varved", "", "the binary; built where there is none")
	flag.IntVar(&c.rows, "rows", 10, "rows of a write, of 10 fields each")
	flag.IntVar(&c.requests, "requests", 200, "writes in a turn")
	flag.IntVar(&c.turns, "turns", 40, "turns of each way")
	flag.Parse()
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "signed:", err)
		os.Exit(1)
	}
}

const secret = "a secret of more than thirty-two bytes"

// way is a way of saying who sends a write, to a server of its own.
type way struct {
	name    string
	prepare func(url string) (sign func(*http.Request), err error) // makes what the writes need
	server  *harness.Process
	sign    func(*http.Request)
	cpu     []time.Duration // of each turn
}

func run(c config, out io.Writer) error {
	dir, err := os.MkdirTemp("", "signed")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if c.binary == "" {
		c.binary = dir + "/varved"
		if text, err := exec.Command("go", "build", "-o", c.binary, "github.com/varvedb/varve/cmd/varved").CombinedOutput(); err != nil {
			return fmt.Errorf("build varved: %w\n%s", err, text)
		}
	}
	ways := []*way{
		{name: "open", prepare: nobody},
		{name: "user and password", prepare: password},
		{name: "u and p", prepare: parameters},
		{name: "token", prepare: token},
		{name: "JSON web token", prepare: webToken},
	}
	for i, w := range ways {
		if err := w.start(c.binary, fmt.Sprint(dir, "/", i)); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		defer w.server.Kill()
	}
	lines := harness.NewCPUOnly(100)
	for turn := range c.turns + 1 {
		var bodies [][]byte
		for range c.requests {
			bodies = append(bodies, lines.AppendLines(nil, c.rows))
		}
		order := rand.Perm(len(ways)) // what came before is felt
		for _, i := range order {
			w := ways[i]
			used, err := w.turn(bodies)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if turn > 0 { // the first is for getting warm
				w.cpu = append(w.cpu, used)
			}
		}
	}
	// The least: what else the machine does makes a turn dearer, never cheaper.
	fmt.Fprintf(out, "CPU of a write of %d rows, the least of %d turns of %d\n\n| | µs | |\n|---|---|---|\n", c.rows, c.turns, c.requests)
	least := slices.Min(ways[0].cpu)
	for _, w := range ways {
		cpu := slices.Min(w.cpu)
		each := cpu / time.Duration(c.requests)
		fmt.Fprintf(out, "| %s | %.1f | %+.1f %% |\n", w.name, float64(each)/1000, 100*(float64(cpu)/float64(least)-1))
	}
	return nil
}

func (w *way) start(binary, dir string) (err error) {
	var flags []string
	if w.name != "open" {
		flags = []string{"--http-auth-enabled", "true", "--http-shared-secret", secret}
	}
	if w.server, err = harness.Start(binary, dir, flags...); err != nil {
		return err
	}
	if w.name != "open" {
		if err := ask(w.server.URL, "", "CREATE USER admin WITH PASSWORD 'pw' WITH ALL PRIVILEGES"); err != nil {
			return err
		}
	}
	for _, text := range []string{"CREATE DATABASE db", "CREATE USER writer WITH PASSWORD 'pw'", "GRANT WRITE ON db TO writer"} {
		if err := ask(w.server.URL, admin, text); err != nil {
			return err
		}
	}
	w.sign, err = w.prepare(w.server.URL)
	return err
}

var (
	admin  = "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:pw"))
	writer = "Basic " + base64.StdEncoding.EncodeToString([]byte("writer:pw"))
)

func header(text string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", text) }
}

func nobody(string) (func(*http.Request), error)   { return func(*http.Request) {}, nil }
func password(string) (func(*http.Request), error) { return header(writer), nil }

func parameters(string) (func(*http.Request), error) {
	return func(r *http.Request) { r.URL.RawQuery += "&u=writer&p=pw" }, nil
}

func token(server string) (func(*http.Request), error) {
	answer, err := post(server+"/varve/v1/tokens", admin, []byte(`{"name":"t","write":["db"]}`))
	if err != nil {
		return nil, err
	}
	var t struct{ Token string }
	err = json.Unmarshal(answer, &t)
	return header("Token " + t.Token), err
}

func webToken(string) (func(*http.Request), error) {
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"username": "writer", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(secret))
	return header("Bearer " + text), err
}

func ask(server, authorization, text string) error {
	_, err := post(server+"/query?q="+url.QueryEscape(text), authorization, nil)
	return err
}

// turn sends writes and gives the CPU time that the server took for them.
func (w *way) turn(bodies [][]byte) (time.Duration, error) {
	before, err := harness.ReadUsage(w.server.PID())
	if err != nil {
		return 0, err
	}
	for _, body := range bodies {
		r, err := http.NewRequest(http.MethodPost, w.server.URL+"/write?db=db", bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		w.sign(r)
		if _, err := send(r); err != nil {
			return 0, err
		}
	}
	after, err := harness.ReadUsage(w.server.PID())
	return after.CPU - before.CPU, err
}

func post(url, authorization string, body []byte) ([]byte, error) {
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return send(r)
}

func send(r *http.Request) ([]byte, error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(b)))
	}
	return b, err
}
