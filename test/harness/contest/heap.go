package contest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// LiveHeap gives the bytes on the heap of the server after a garbage collection.
// varved has no door through which one could ask for that, so it takes up to two
// minutes there.
func (r *Run) LiveHeap() (int64, error) {
	switch r.Entrant.Name {
	case "varved":
		return r.Process.LiveHeap()
	case "influxd":
		if err := r.get("/debug/pprof/heap?gc=1", func(body io.Reader) error {
			_, err := io.Copy(io.Discard, body)
			return err
		}); err != nil {
			return 0, err
		}
		var vars struct {
			MemStats struct{ HeapAlloc int64 } `json:"memstats"`
		}
		err := r.get("/debug/vars", func(body io.Reader) error { return json.NewDecoder(body).Decode(&vars) })
		return vars.MemStats.HeapAlloc, err
	default:
		return 0, errors.New("the heap of " + r.Entrant.Name + " is not known")
	}
}

func (r *Run) get(path string, read func(io.Reader) error) error {
	resp, err := http.Get(r.URL + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	return read(resp.Body)
}
