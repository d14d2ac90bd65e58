package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// maxBodyBytes bounds the body of a request.
const maxBodyBytes = 2 << 20

// Handler answers all routes, which begin with adminapi.Prefix.
func (a *Admin) Handler() http.Handler {
	mux := http.NewServeMux()
	route := func(method, path string, h http.HandlerFunc) {
		mux.HandleFunc(method+" "+adminapi.Prefix+path, h)
	}
	route("GET", "/status", a.plain(a.status))
	route("GET", "/nodes", a.plain(a.listNodes))
	route("POST", "/nodes/{node}/drain", ofNode(a, a.drain))
	route("POST", "/nodes/{node}/remove", ofNode(a, a.remove))
	route("POST", "/nodes/{node}/replace", ofNode(a, a.replace))
	route("POST", "/nodes/{node}/label", ofNode(a, a.label))
	route("GET", "/shards", a.plain(a.listShards))
	route("POST", "/shards/{shard}/copy", ofShard(a, a.copyShard))
	route("POST", "/shards/{shard}/move", ofShard(a, a.moveShard))
	route("POST", "/shards/{shard}/remove", ofShard(a, a.removeShard))
	route("POST", "/shards/{shard}/cancel", ofShard(a, a.cancelMove))
	route("POST", "/shards/{shard}/compact", func(w http.ResponseWriter, r *http.Request) {
		id, err := shardOf(r)
		a.answer(w, r, err, func(ctx context.Context) (any, error) { return a.compact(ctx, id) })
	})
	route("GET", "/shards/{shard}/verify", func(w http.ResponseWriter, r *http.Request) {
		id, err := shardOf(r)
		patience, perr := patienceOf(r)
		a.answer(w, r, errors.Join(err, perr), func(ctx context.Context) (any, error) { return a.verify(ctx, id, patience) })
	})
	route("GET", "/rebalance", a.plain(a.showPlan))
	route("POST", "/rebalance", a.plain(a.applyPlan))
	route("DELETE", "/rebalance", a.plain(a.cancelPlan))
	route("POST", "/compact", withBody(a, a.compactAll))
	route("POST", "/truncate-shards", withBody(a, a.truncate))
	route("GET", "/limits", a.plain(a.listLimits))
	route("POST", "/databases/{database}/limits", a.setLimits)
	route("POST", "/users/{user}/limits", a.setUserLimits)
	route("GET", "/queries", a.plain(a.listQueries))
	route("GET", "/cardinality", a.listCardinality)
	route("GET", "/continuous", a.plain(a.listContinuous))
	route("GET", "/tokens", a.plain(a.listTokens))
	route("POST", "/tokens", withBody(a, a.createToken))
	route("DELETE", "/tokens/{token}", a.revokeToken)
	route("POST", "/join-token", withBody(a, a.token))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "there is no such route") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := a.refuses(r); why != "" {
			fail(w, http.StatusForbidden, why)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// refuses says why a request is not answered, or "". What a browser sends for
// a page of somebody else, and what a proxy on this machine passes on, comes
// from loopback, too.
func (a *Admin) refuses(r *http.Request) string {
	if r.Method != http.MethodGet && r.Header.Get("Origin") != "" {
		return "pages may not change the cluster"
	}
	if a.Everyone {
		return ""
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	passed := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
	if err != nil || ip == nil || !ip.IsLoopback() || passed {
		return "only from the machine of a node: authentication is off, and --allow-unauthenticated was not given"
	}
	return ""
}

// plain answers a request without a body.
func (a *Admin) plain(f func(context.Context) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, nil, f) }
}

// withBody answers a request with a body.
func withBody[T any](a *Admin, f func(context.Context, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := bodyOf[T](w, r)
		a.answer(w, r, err, func(ctx context.Context) (any, error) { return f(ctx, body) })
	}
}

// ofNode answers a request about a node.
func ofNode[T any](a *Admin, f func(context.Context, *meta.Node, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := bodyOf[T](w, r)
		a.answer(w, r, err, func(ctx context.Context) (any, error) {
			n, err := a.find(r.PathValue("node"))
			if err != nil {
				return nil, err
			}
			return f(ctx, n, body)
		})
	}
}

// ofShard answers a request about a shard.
func ofShard(a *Admin, f func(context.Context, uint64, adminapi.MoveRequest) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := shardOf(r)
		body, berr := bodyOf[adminapi.MoveRequest](w, r)
		a.answer(w, r, errors.Join(err, berr), func(ctx context.Context) (any, error) { return f(ctx, id, body) })
	}
}

func shardOf(r *http.Request) (uint64, error) {
	id, err := strconv.ParseUint(r.PathValue("shard"), 10, 64)
	if err != nil {
		return 0, &model.Error{Kind: model.ErrInvalid, Text: "a shard is named by its number"}
	}
	return id, nil
}

// patienceOf gives how long a comparison may take; 0 when the request does not
// say.
func patienceOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("timeout")
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, &model.Error{Kind: model.ErrInvalid, Text: "timeout is not a duration such as 30s"}
	}
	return d, nil
}

// bodyOf reads the body; none is all defaults. A field that is not known is an
// error: it would be taken for having had an effect.
func bodyOf[T any](w http.ResponseWriter, r *http.Request) (body T, err error) {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		return body, &model.Error{Kind: model.ErrInvalid, Text: "the body of the request cannot be read: " + err.Error()}
	}
	return body, nil
}

// answer answers with what f gives, unless there is an error already.
func (a *Admin) answer(w http.ResponseWriter, r *http.Request, err error, f func(context.Context) (any, error)) {
	var v any
	if err == nil {
		v, err = f(r.Context())
	}
	if err != nil {
		status := statusOf(err)
		if status >= http.StatusInternalServerError {
			a.Log.Warn("request of an operator failed", "path", r.URL.Path, "error", err)
		}
		fail(w, status, short(err))
		return
	}
	if r.Method != http.MethodGet {
		a.Log.Info("did what an operator asked for", "method", r.Method, "path", r.URL.Path, "from", r.RemoteAddr)
	}
	if v == nil {
		v = struct{}{}
	}
	send(w, http.StatusOK, v)
}

func fail(w http.ResponseWriter, status int, text string) {
	send(w, status, adminapi.Error{Error: text})
}

func send(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone otherwise
}

// statusOf gives the status for an error.
func statusOf(err error) int {
	for _, s := range [...]struct {
		kind   error
		status int
	}{
		{model.ErrUnavailable, http.StatusServiceUnavailable},
		{model.ErrOverloaded, http.StatusServiceUnavailable},
		{model.ErrClosed, http.StatusServiceUnavailable},
		{model.ErrMoved, http.StatusServiceUnavailable},
		{model.ErrBehind, http.StatusServiceUnavailable},
		{context.DeadlineExceeded, http.StatusServiceUnavailable},
		{context.Canceled, http.StatusServiceUnavailable},
		{model.ErrNotFound, http.StatusNotFound},
		{model.ErrConflict, http.StatusConflict},
		{model.ErrInvalid, http.StatusBadRequest},
		{model.ErrTooLarge, http.StatusBadRequest},
		{model.ErrNotSupported, http.StatusNotImplemented},
	} {
		if errors.Is(err, s.kind) {
			return s.status
		}
	}
	return http.StatusInternalServerError
}
