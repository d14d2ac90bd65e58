// Both Go clients against one server: goclients URL USER PASSWORD.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	client "github.com/influxdata/influxdb1-client/v2"
)

func main() {
	url, user, password := os.Args[1], os.Args[2], os.Args[3]
	for _, f := range []func(url, user, password string) error{version1, version2} {
		if err := f(url, user, password); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println("influxdb1-client, influxdb-client-go: ok")
}

// equal gives an error where got is not want.
func equal(what string, got, want any) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%s: %v, want %v", what, got, want)
	}
	return nil
}

func version1(url, user, password string) error {
	c, err := client.NewHTTPClient(client.HTTPConfig{Addr: url, Username: user, Password: password, InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, version, err := c.Ping(5 * time.Second); err != nil || !strings.HasPrefix(version, "1.") {
		return fmt.Errorf("ping: %q, %v", version, err)
	}
	query := func(text string) ([][]any, error) {
		r, err := c.Query(client.NewQuery(text, "goclient", "ns"))
		if err == nil {
			err = r.Error()
		}
		if err != nil || len(r.Results) == 0 || len(r.Results[0].Series) == 0 {
			return nil, err
		}
		return r.Results[0].Series[0].Values, nil
	}
	if _, err := query("CREATE DATABASE goclient"); err != nil {
		return err
	}
	batch, err := client.NewBatchPoints(client.BatchPointsConfig{Database: "goclient", Precision: "ns"})
	if err != nil {
		return err
	}
	for i := range 25 {
		p, err := client.NewPoint("cpu", map[string]string{"host": "a b"}, map[string]any{"v": float64(i), "n": int64(1)<<60 + int64(i), "s": `x "y"`, "b": true}, time.Unix(0, int64(i)))
		if err != nil {
			return err
		}
		batch.AddPoint(p)
	}
	if err := c.Write(batch); err != nil {
		return err
	}
	rows, err := query("SELECT n, s, b FROM cpu WHERE time = 3")
	if err != nil {
		return err
	}
	if err := equal("row", rows, [][]any{{json.Number("3"), json.Number("1152921504606846979"), `x "y"`, true}}); err != nil {
		return err
	}
	// In chunks of ten rows.
	r, err := c.QueryAsChunk(client.Query{Command: "SELECT v FROM cpu", Database: "goclient", Chunked: true, ChunkSize: 10})
	if err != nil {
		return err
	}
	defer r.Close()
	var sizes []int
	for {
		chunk, err := r.NextResponse()
		if err != nil {
			break // io.EOF, or the count below is wrong
		}
		if chunk.Error() != nil {
			return chunk.Error()
		}
		sizes = append(sizes, len(chunk.Results[0].Series[0].Values))
	}
	if err := equal("chunks", sizes, []int{10, 10, 5}); err != nil {
		return err
	}
	bound, err := c.Query(client.NewQueryWithParameters("SELECT v FROM cpu WHERE host = $h AND v > $v", "goclient", "ns", client.Params{"h": client.StringValue("a b"), "v": client.NumberValue(23)}))
	if err != nil || bound.Error() != nil || len(bound.Results[0].Series[0].Values) != 1 {
		return fmt.Errorf("parameters: %v, %v", bound, err)
	}
	if _, err := query("SELECT FROM"); err == nil || !strings.Contains(err.Error(), "error parsing query") {
		return fmt.Errorf("a query that does not parse: %v", err)
	}
	return nil
}

func version2(url, user, password string) error {
	ctx := context.Background()
	c := influxdb2.NewClientWithOptions(url, user+":"+password, influxdb2.DefaultOptions().SetTLSConfig(&tls.Config{InsecureSkipVerify: true}))
	defer c.Close()
	health, err := c.Health(ctx)
	if err != nil || health.Status != "pass" {
		return fmt.Errorf("health: %v, %w", health, err)
	}
	if up, err := c.Ping(ctx); err != nil || !up {
		return fmt.Errorf("ping: %v, %w", up, err)
	}
	err = c.WriteAPIBlocking("", "goclient/autogen").WritePoint(ctx,
		influxdb2.NewPoint("mem", map[string]string{"host": "a"}, map[string]any{"used": 0.5, "free": 3}, time.Unix(1, 0)))
	if err != nil {
		return err
	}
	err = c.WriteAPIBlocking("", "nosuch/autogen").WriteRecord(ctx, "mem v=1")
	if err == nil || !strings.Contains(err.Error(), "database not found") {
		return fmt.Errorf("write to no database: %v", err)
	}
	if _, err := c.QueryAPI("").Query(ctx, `from(bucket:"goclient")`); err == nil || !strings.Contains(err.Error(), "Flux query service disabled") {
		return errors.Join(errors.New("a query in Flux"), err)
	}
	return nil
}
