package rpc

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/varvedb/varve/model"
)

func FuzzGreeting(f *testing.F) {
	f.Add((&hello{oldest: 1, newest: 1, from: clientID, wants: 1}).append(nil))
	f.Add((&welcome{reason: "no", format: 1, from: serverID}).append(nil))
	f.Add((&welcome{format: 1, from: serverID}).append(nil))
	f.Add([]byte(helloMagic + "\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := readGreeting(bytes.NewReader(b))
		if err != nil {
			return
		}
		if h, err := decodeHello(body); err == nil {
			again, err := decodeHello(h.append(nil)[len(helloMagic)+2:])
			if err != nil || again != h {
				t.Errorf("%+v became %+v, %v", h, again, err)
			}
		}
		if w, err := decodeWelcome(body); err == nil {
			again, err := decodeWelcome(w.append(nil)[len(helloMagic)+2:])
			if err != nil || again != w {
				t.Errorf("%+v became %+v, %v", w, again, err)
			}
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{byte(frameData), 'x'})
	f.Add([]byte{byte(frameIdle)})
	f.Add(appendError([]byte{byte(frameError)}, fmt.Errorf("a: %w", model.ErrStale)))
	f.Add(appendError([]byte{byte(frameError)}, fmt.Errorf("a: %w", &model.Error{Kind: model.ErrNotFound, Text: "b"})))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got frame
		if got.decode(b) != nil || got.kind != frameError {
			return
		}
		err := decodeError(got.body)
		if err == nil {
			t.Fatal("an error frame without an error")
		}
		again := decodeError(appendError(nil, err))
		if again.Error() != err.Error() {
			t.Errorf("%q became %q", err, again)
		}
		for _, kind := range kinds {
			if errors.Is(err, kind) && !errors.Is(again, kind) {
				t.Errorf("%q lost its kind %q", err, kind)
			}
		}
	})
}
