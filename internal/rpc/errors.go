package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/varvedb/varve/model"
)

// ErrRefused is the kind of the error of a connection that the other side, or
// this one, closed for what it is: another cluster, a wrong certificate, a
// newer format. It is model.ErrUnavailable as well.
var ErrRefused = errors.New("connection refused by the other node")

// kinds are the error kinds that travel. The place of a kind is its number on
// the wire: new ones go to the end.
var kinds = [...]error{
	model.ErrInvalid, model.ErrNotFound, model.ErrConflict, model.ErrTooLarge,
	model.ErrNotSupported, model.ErrUnavailable, model.ErrOverloaded, model.ErrNeedKeys,
	model.ErrCorrupt, model.ErrClosed, model.ErrReadOnly, model.ErrInterrupted,
	model.ErrBehind, model.ErrMoved, model.ErrTrimmed, model.ErrStale,
}

// maxErrorText bounds the text of an error on the wire.
const maxErrorText = 64 << 10

// appendError writes an error: the set of its kinds as bits, the text, and for
// a *model.Error in it the number of its kind plus one and its text.
//
// The end of a context on this side means nothing to the other, but that it
// had no answer: model.ErrUnavailable.
func appendError(dst []byte, err error) []byte {
	var set uint64
	for i, kind := range kinds {
		if errors.Is(err, kind) {
			set |= 1 << i
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		set |= 1 << slices.Index(kinds[:], model.ErrUnavailable)
	}
	dst = binary.AppendUvarint(dst, set)
	dst = appendText(dst, err.Error())
	var final *model.Error
	if !errors.As(err, &final) {
		return append(dst, 0)
	}
	dst = append(dst, byte(slices.Index(kinds[:], final.Kind)+1)) // 0 for a kind that does not travel
	return appendText(dst, final.Text)
}

func appendText(dst []byte, text string) []byte {
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "")
	}
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// decodeError is the inverse of appendError. What is not understood is an
// error of kind model.ErrCorrupt. Kinds of a later version are dropped.
func decodeError(b []byte) error {
	set, n := binary.Uvarint(b)
	if n <= 0 {
		return errBad
	}
	text, rest, ok := cutText(b[n:])
	if !ok || len(rest) == 0 {
		return errBad
	}
	e := &remoteError{text: text}
	for i, kind := range kinds {
		if set&(1<<i) != 0 {
			e.causes = append(e.causes, kind)
		}
	}
	kind, rest := int(rest[0]), rest[1:]
	if kind == 0 {
		return e
	}
	final, rest, ok := cutText(rest)
	if !ok || len(rest) > 0 {
		return errBad
	}
	if kind > len(kinds) {
		return e
	}
	m := &model.Error{Kind: kinds[kind-1], Text: final}
	if len(e.causes) == 1 && final == text {
		return m
	}
	e.causes = append(e.causes, m)
	return e
}

var errBad = fmt.Errorf("answer with an error that cannot be read: %w", model.ErrCorrupt)

func cutText(b []byte) (text string, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > maxErrorText || size > uint64(len(b)-n) {
		return "", nil, false
	}
	return string(b[n : n+int(size)]), b[n+int(size):], true
}

// remoteError is an error of another node.
type remoteError struct {
	text   string
	causes []error // kinds, and a *model.Error
}

func (e *remoteError) Error() string { return e.text }

// Unwrap gives the kinds, so errors.Is finds them.
func (e *remoteError) Unwrap() []error { return e.causes }
