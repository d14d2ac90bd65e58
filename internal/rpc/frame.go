package rpc

import (
	"fmt"

	"google.golang.org/grpc/mem"

	"github.com/varvedb/varve/model"
)

// A message on the wire is one byte that says what it is, and its body.
type frameKind byte

const (
	frameData  frameKind = 1 + iota
	frameIdle            // "I am there", in a stream; no body
	frameError           // how the call ended; see appendError
)

// frameOverhead is what a frame is larger than its body.
const frameOverhead = 1

// frame is a message. body is not copied in sending, and whoever receives it
// owns it.
type frame struct {
	kind frameKind
	body []byte
}

// codec is gRPC's view of frames.
type codec struct{}

// Name is part of the content type of each call.
func (codec) Name() string { return "varve" }

var frameHeads = [...]mem.SliceBuffer{frameData: {byte(frameData)}, frameIdle: {byte(frameIdle)}, frameError: {byte(frameError)}}

// Marshal gives the bytes of a *frame without copying its body.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	f := v.(*frame)
	if len(f.body) == 0 {
		return mem.BufferSlice{frameHeads[f.kind]}, nil
	}
	return mem.BufferSlice{frameHeads[f.kind], mem.SliceBuffer(f.body)}, nil
}

// Unmarshal reads a *frame into memory of its own: what gRPC received lies in
// pieces of 16 KiB that it uses again.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	return v.(*frame).decode(data.Materialize())
}

// decode takes b over.
func (f *frame) decode(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("empty frame: %w", model.ErrCorrupt)
	}
	f.kind, f.body = frameKind(b[0]), b[1:]
	switch {
	case f.kind < frameData || f.kind > frameError:
		return fmt.Errorf("frame of unknown kind %d: %w", f.kind, model.ErrCorrupt)
	case f.kind == frameIdle && len(f.body) > 0:
		return fmt.Errorf("keep-alive frame of %d bytes: %w", len(b), model.ErrCorrupt)
	}
	return nil
}
