package auth_test

import (
	"net/http"
	"testing"

	"github.com/varvedb/varve/coordinator/auth"
	"github.com/varvedb/varve/meta"
)

// What each request costs once its password is found.
func BenchmarkAuthenticate(b *testing.B) {
	n, _ := cluster(b)
	made, key, err := n.store.CreateToken(b.Context(), meta.TokenSpec{Name: "t", Admin: true}, nil)
	must(b, err)
	parameters := ask("", somewhere)
	parameters.URL.RawQuery += "&u=u&p=pw"
	for name, r := range map[string]*http.Request{
		"password":   ask(basic("u", "pw"), somewhere),
		"parameters": parameters,
		"token":      ask("Token "+auth.FormatToken(made.UID, key), somewhere),
		"web token":  ask("Bearer "+sign(b, claims{"username": "u", "exp": inAnHour()}), somewhere),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := n.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
