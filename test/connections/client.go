package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/test/harness"
	"github.com/varvedb/varve/test/harness/contest"
)

// answerTimeout bounds the wait for an answer: a server that is that late has failed.
const answerTimeout = time.Minute

// retryPause is how long a client waits after a 5xx.
const retryPause = 200 * time.Millisecond

// client is one connection, kept open. It writes requests as text, so that the
// many of them leave most of the machine to the server.
type client struct {
	net.Conn
	answers *bufio.Reader
	head    string // of a request, up to the number of bytes
	host    string // key of the series
	lines   int
	value   int64
	time    int64
	body    []byte
	all     []byte
	refused *atomic.Int64 // answers of 5xx, of all clients
}

func dial(server *contest.Run, host string, lines, number int, refused *atomic.Int64) (*client, error) {
	address := strings.TrimPrefix(server.URL, "http://")
	conn, err := net.DialTimeout("tcp", address, answerTimeout)
	if err != nil {
		return nil, err
	}
	return &client{
		Conn:    conn,
		answers: bufio.NewReaderSize(conn, 1<<10),
		head:    "POST /write?db=bench HTTP/1.1\r\nHost: " + address + "\r\nContent-Length: ",
		host:    host,
		lines:   lines,
		value:   int64(number),
		refused: refused,
		time:    time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(),
	}, nil
}

// request writes the next lines of the host and waits until they are stored,
// which may take several requests: after a 5xx clients come again.
func (c *client) request() error {
	c.body = c.body[:0]
	for range c.lines {
		c.time += int64(10 * time.Second)
		c.body = append(c.body, c.host...)
		for i, name := range harness.CPUFields {
			c.value = (c.value*5 + 3) % 101
			c.body = append(c.body, " ,"[min(i, 1)])
			c.body = append(c.body, name...)
			c.body = append(c.body, '=')
			c.body = strconv.AppendInt(c.body, c.value, 10)
			c.body = append(c.body, 'i')
		}
		c.body = append(c.body, ' ')
		c.body = strconv.AppendInt(c.body, c.time, 10)
		c.body = append(c.body, '\n')
	}
	c.all = append(c.all[:0], c.head...)
	c.all = strconv.AppendInt(c.all, int64(len(c.body)), 10)
	c.all = append(c.all, "\r\n\r\n"...)
	c.all = append(c.all, c.body...)
	for {
		status, err := c.exchange()
		if err == nil || status < 500 {
			return err
		}
		c.refused.Add(1)
		time.Sleep(retryPause)
	}
}

// exchange sends the request and reads the answer.
func (c *client) exchange() (status int, err error) {
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, err
	}
	if _, err := c.Write(c.all); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return 0, err
	}
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusNoContent {
		return resp.StatusCode, fmt.Errorf("write: %s: %s", resp.Status, said)
	}
	return resp.StatusCode, nil
}
