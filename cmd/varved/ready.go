package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/varvedb/varve/cmd/varved/config"
)

// readyTimeout is how long a server may take to say whether it is ready.
const readyTimeout = 5 * time.Second

// sayReady is the command "ready": it fails unless the server that these settings
// are of says that it is ready. No credentials are needed, so that a health check
// has none.
func sayReady(args, environ []string, stdout, stderr io.Writer) int {
	cfg, _, err := config.Load(args, environ)
	if errors.Is(err, config.ErrHelp) {
		config.Help(stdout)
		return 0
	}
	if err == nil {
		err = askReady(&cfg)
	}
	if err != nil {
		fmt.Fprintf(stderr, "varved: %v\n", err)
		return 1
	}
	fmt.Fprintln(stdout, "ready")
	return 0
}

func askReady(cfg *config.Config) error {
	address, err := localAddress(cfg.HTTPAddress)
	if err != nil {
		return err
	}
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true}
	if cfg.HTTPS.Enabled {
		// It is this machine's own, whatever the name in its certificate; nothing
		// secret is sent.
		scheme, transport.TLSClientConfig = "https", &tls.Config{InsecureSkipVerify: true}
		if cfg.HTTPS.Files.Authority != "" { // clients must have a certificate
			pair, err := tls.LoadX509KeyPair(cfg.HTTPS.Files.Certificate, cfg.HTTPS.Files.Key)
			if err != nil {
				return err
			}
			transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	why, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	return errors.Join(fmt.Errorf("not ready: %s: %s", answer.Status, strings.TrimSpace(string(why))), err)
}

// localAddress gives where a server with an address is reached on this machine.
func localAddress(bound string) (string, error) {
	host, port, err := net.SplitHostPort(bound)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}
