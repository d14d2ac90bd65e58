// Package https is how the tools reach a server that speaks TLS.
package https

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
)

// Options is what the flags say.
type Options struct {
	Insecure    bool   // take any certificate of the server
	Authority   string // a file; "": the system's
	Certificate string // a file, for servers that ask for one
	Key         string // "": in the file of Certificate
}

// Flags adds the flags that all tools share.
func (o *Options) Flags(f *flag.FlagSet) {
	f.StringVar(&o.Authority, "ca", o.Authority, "a file with the authority of the server's certificate")
	f.StringVar(&o.Certificate, "cert", o.Certificate, "a file with a certificate of your own, for servers that ask for one")
	f.StringVar(&o.Key, "key", o.Key, "a file with its key, where it is in another")
}

// Transport gives what reaches the server.
func (o *Options) Transport() (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: o.Insecure}
	if o.Authority != "" {
		b, err := os.ReadFile(o.Authority)
		if err != nil {
			return nil, fmt.Errorf("-ca: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("-ca: no certificate in %s", o.Authority)
		}
	}
	if o.Certificate == "" {
		if o.Key != "" {
			return nil, errors.New("-key without -cert")
		}
		return t, nil
	}
	key := o.Key
	if key == "" {
		key = o.Certificate
	}
	pair, err := tls.LoadX509KeyPair(o.Certificate, key)
	if err != nil {
		return nil, fmt.Errorf("-cert: %w", err)
	}
	t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	return t, nil
}
