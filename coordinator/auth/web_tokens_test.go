package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/varvedb/varve/coordinator/auth"
	"github.com/varvedb/varve/model"
)

type claims = jwt.MapClaims

func inAnHour() int64 { return time.Now().Add(time.Hour).Unix() }

// sign gives a token signed as it should be.
func sign(t testing.TB, c claims) string {
	t.Helper()
	return signBy(t, jwt.SigningMethodHS256, []byte(secret), c)
}

func signBy(t testing.TB, by jwt.SigningMethod, key any, c claims) string {
	t.Helper()
	text, err := jwt.NewWithClaims(by, c).SignedString(key)
	must(t, err)
	return text
}

func TestWebTokensAreTakenOnlyAsAgreed(t *testing.T) {
	n, _ := cluster(t)
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	good := claims{"username": "u", "exp": inAnHour()}
	goodText := sign(t, good)
	flipped := goodText[:len(goodText)-2] + map[bool]string{true: "AA", false: "BA"}[!strings.HasSuffix(goodText, "AA")]
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	for _, c := range []struct{ what, token, want string }{
		{"good", goodText, ""},
		{"expired within the skew of clocks", sign(t, claims{"username": "u", "exp": ago(30 * time.Second)}), ""},
		{"alg none", signBy(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good), "signing method none is invalid"},
		{"alg none without a signature", goodText[:strings.LastIndexByte(goodText, '.')+1], "signature is invalid"},
		{"RS256", signBy(t, jwt.SigningMethodRS256, pair, good), "signing method RS256 is invalid"},
		{"HS512", signBy(t, jwt.SigningMethodHS512, []byte(secret), good), "signing method HS512 is invalid"},
		{"empty secret", signBy(t, jwt.SigningMethodHS256, []byte{}, good), "signature is invalid"},
		{"another secret", signBy(t, jwt.SigningMethodHS256, []byte(secret+"x"), good), "signature is invalid"},
		{"no exp", sign(t, claims{"username": "u"}), "token expiration required"},
		{"exp 0", sign(t, claims{"username": "u", "exp": 0}), "token expiration required"},
		{"exp a text", sign(t, claims{"username": "u", "exp": "soon"}), "invalid"},
		{"exp long ago", sign(t, claims{"username": "u", "exp": 9999999}), "token is expired"},
		{"expired", sign(t, claims{"username": "u", "exp": ago(2 * time.Minute)}), "token is expired"},
		{"not valid yet", sign(t, claims{"username": "u", "exp": inAnHour(), "nbf": inAnHour()}), "token is not valid yet"},
		{"unknown user", sign(t, claims{"username": "nobody", "exp": inAnHour()}), "user not found"},
		{"no user", sign(t, claims{"exp": inAnHour()}), "username in token must be a string"},
		{"user a number", sign(t, claims{"username": 1, "exp": inAnHour()}), "username in token must be a string"},
		{"user empty", sign(t, claims{"username": "", "exp": inAnHour()}), "token must contain a username"},
		{"bit flipped", flipped, "signature is invalid"},
		{"a megabyte", strings.Repeat("A", 1<<20), "token is malformed"},
	} {
		u, err := n.Authenticate(ask("Bearer "+c.token, somewhere))
		switch {
		case c.want == "" && (err != nil || u.Name() != "u" || u.Admin()):
			t.Errorf("%s: %v", c.what, err)
		case c.want != "" && (!errors.Is(err, model.ErrUnauthenticated) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %s", c.what, err, c.want)
		}
	}
}

func TestWebTokensAreOffWithoutASecretAndNeverHaveAShortOne(t *testing.T) {
	n, _ := cluster(t)
	off, err := auth.New(auth.DefaultConfig(), n.store, n.bootstrap, nil)
	must(t, err)
	for _, key := range [][]byte{{}, []byte(secret)} {
		token := signBy(t, jwt.SigningMethodHS256, key, claims{"username": "u", "exp": inAnHour()})
		if _, err := off.Authenticate(ask("Bearer "+token, somewhere)); err == nil || err.Error() != "bearer auth disabled" {
			t.Errorf("without a secret: %v", err)
		}
	}
	if _, err := auth.New(auth.Config{SharedSecret: secret[:31]}, n.store, n.bootstrap, nil); !errors.Is(err, model.ErrInvalid) || strings.Contains(err.Error(), secret[:31]) {
		t.Errorf("a short secret: %v", err)
	}
}
