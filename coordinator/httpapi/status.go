package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/model"
)

// retryAfter is what clients are told to wait after a 503, in seconds.
const retryAfter = "1"

// statuses maps kinds of error to statuses; the first that matches counts. A
// kind that is not here is 500. Telegraf throws away what is answered by a 4xx:
// trouble that passes by itself must never be one.
var statuses = []struct {
	kind   error
	status int
}{
	{model.ErrUnavailable, http.StatusServiceUnavailable},
	{model.ErrOverloaded, http.StatusServiceUnavailable},
	{model.ErrClosed, http.StatusServiceUnavailable},
	{model.ErrReadOnly, http.StatusServiceUnavailable},
	{model.ErrNeedKeys, http.StatusServiceUnavailable},
	{model.ErrBehind, http.StatusServiceUnavailable},
	{model.ErrMoved, http.StatusServiceUnavailable},
	{model.ErrStale, http.StatusServiceUnavailable},
	{model.ErrInterrupted, http.StatusServiceUnavailable},
	{context.DeadlineExceeded, http.StatusServiceUnavailable},
	{context.Canceled, http.StatusServiceUnavailable},
	{coordinator.ErrPolicyNotFound, http.StatusInternalServerError}, // as InfluxDB
	{model.ErrTooLarge, http.StatusRequestEntityTooLarge},
	{model.ErrUnauthenticated, http.StatusUnauthorized},
	{model.ErrForbidden, http.StatusForbidden},
	{model.ErrNotFound, http.StatusNotFound},
	{model.ErrInvalid, http.StatusBadRequest},
	{model.ErrConflict, http.StatusBadRequest},
	{model.ErrNotSupported, http.StatusBadRequest},
}

// statusOf gives the status for an error.
func statusOf(err error) int {
	for _, s := range statuses {
		if errors.Is(err, s.kind) {
			return s.status
		}
	}
	return http.StatusInternalServerError
}
