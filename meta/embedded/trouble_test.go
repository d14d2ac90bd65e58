package embedded

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTroubleNamesWhyEtcdIsNotReached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	defer stranger.Close()
	somebody := httptest.NewServer(http.NotFoundHandler())
	defer somebody.Close()
	for want, endpoints := range map[string][]string{
		"connection refused": {nobody},
		"certificate":        {nobody, stranger.URL},
		"":                   {nobody, somebody.URL},
	} {
		c, err := Connect(ClientConfig{Endpoints: endpoints}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		err = c.Trouble()
		if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: %v, want %q in one line", endpoints, err, want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
