package auth

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// tokenPrefix begins the texts of tokens: programs that look for secrets in what is
// published know them by it.
const tokenPrefix = "varve_"

// FormatToken gives the text that a program sends to use a token of the cluster.
func FormatToken(uid uint64, secret []byte) string {
	return tokenPrefix + strconv.FormatUint(uid, 10) + "_" + base64.RawURLEncoding.EncodeToString(secret)
}

// ParseToken reads what FormatToken writes.
func ParseToken(text string) (uid uint64, secret []byte, ok bool) {
	text, ok = strings.CutPrefix(text, tokenPrefix)
	id, encoded, cut := strings.Cut(text, "_")
	uid, err := strconv.ParseUint(id, 10, 64)
	secret, bad := base64.RawURLEncoding.Strict().DecodeString(encoded)
	return uid, secret, ok && cut && err == nil && bad == nil
}
