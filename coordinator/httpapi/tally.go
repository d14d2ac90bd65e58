package httpapi

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/influxdata/influxql"
	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/model"
)

const (
	defaultTally = 10 * time.Second
	maxTally     = 6 * time.Hour
	maxTallies   = 10     // at a time
	maxClients   = 10_000 // of one; those that come later are counted together
	otherClients = "others"
)

// tallies counts the requests of each client for those who ask by /debug/requests,
// from then on.
type tallies struct {
	mu   sync.Mutex // protects all below, and what is in them
	open map[*tally]struct{}
}

// tally is the requests of each client, which is a user and an address.
type tally map[string]*requestCount

type requestCount struct {
	Writes  int64 `json:"writes"`
	Queries int64 `json:"queries"`
}

// begin gives a tally that counts until it is ended; nil where there are too many.
func (t *tallies) begin() *tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open) == maxTallies {
		return nil
	}
	if t.open == nil {
		t.open = make(map[*tally]struct{})
	}
	of := &tally{}
	t.open[of] = struct{}{}
	return of
}

func (t *tallies) end(of *tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, of)
}

// add counts a request.
func (t *tallies) add(c echo.Context, write bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open) == 0 {
		return
	}
	client, _, err := net.SplitHostPort(c.Request().RemoteAddr)
	if err != nil {
		return
	}
	if u := userOf(c); u != nil && u.Name() != "" {
		client = u.Name() + ":" + client
	}
	for of := range t.open {
		of.add(client, write)
	}
}

func (of tally) add(client string, write bool) {
	n := of[client]
	if n == nil && len(of) >= maxClients {
		client = otherClients
		n = of[client]
	}
	if n == nil {
		n = new(requestCount)
		of[client] = n
	}
	if write {
		n.Writes++
	} else {
		n.Queries++
	}
}

// requests answers /debug/requests after as many seconds as were asked for.
func (s *Server) requests(c echo.Context) error {
	d := defaultTally
	if text := c.QueryParam("seconds"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return s.fail(c, invalid(err.Error()))
		}
		if seconds > int64(maxTally/time.Second) {
			const most = int64(1<<63-1) / int64(time.Second)
			d = time.Duration(min(seconds, most)) * time.Second
			return s.fail(c, invalid(fmt.Sprintf("exceeded maximum interval time: %s > %s", influxql.FormatDuration(d), influxql.FormatDuration(maxTally))))
		}
		d = time.Duration(max(seconds, 0)) * time.Second
	}
	of := s.tallies.begin()
	if of == nil {
		return s.fail(c, &model.Error{Kind: model.ErrOverloaded, Text: "too many requests are being counted for"})
	}
	select {
	case <-time.After(d):
	case <-c.Request().Context().Done():
	case <-s.draining:
	}
	s.tallies.end(of)
	text, err := json.Marshal(of)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderConnection, "close")
	return c.Blob(http.StatusOK, "application/json; charset=utf-8", append(text, '\n'))
}
