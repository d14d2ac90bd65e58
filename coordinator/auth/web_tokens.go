package auth

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// clockSkew is how far the clocks of those who sign tokens may be off.
const clockSkew = time.Minute

// webTokens reads JSON web tokens (RFC 7519) that are signed with a shared secret, by
// HMAC with SHA-256 and nothing else: that a token says itself how it is signed has
// let in too many.
type webTokens struct {
	secret []byte
	parser *jwt.Parser
}

func newWebTokens(secret string) *webTokens {
	return &webTokens{
		secret: []byte(secret),
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithLeeway(clockSkew)),
	}
}

// user gives the name in a token.
func (w *webTokens) user(text string) (string, error) {
	var claims jwt.MapClaims
	_, err := w.parser.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return w.secret, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return "", refused("token expiration required")
	case err != nil:
		return "", refused(err.Error())
	}
	name, ok := claims["username"].(string)
	switch {
	case !ok:
		return "", refused("username in token must be a string")
	case name == "":
		return "", refused("token must contain a username")
	}
	return name, nil
}
