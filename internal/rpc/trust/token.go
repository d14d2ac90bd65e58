package trust

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/varvedb/varve/model"
)

// Token lets nodes into a cluster until it expires. It is made by
// `varve ctl join-token`, or it is any long secret that an operator puts into
// the configuration of all nodes: that has no fingerprint and no expiry, and
// the new node knows the cluster by the proof alone.
type Token struct {
	Fingerprint [sha256.Size]byte // of the authority; zero: not known
	Secret      [sha256.Size]byte
	Expires     time.Time // zero: never
}

const (
	tokenPrefix = "varve1."
	// minShared is the fewest characters of a secret that is shared: whoever
	// listens to a join could try shorter ones out.
	minShared = 32
	maxToken  = 4 << 10
	tokenSize = 2*sha256.Size + 8 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewToken makes a token for the cluster of an authority.
func NewToken(fingerprint [sha256.Size]byte, life time.Duration) *Token {
	// Whole seconds: that is what its text has.
	t := &Token{Fingerprint: fingerprint, Expires: time.Now().Add(life).Truncate(time.Second)}
	rand.Read(t.Secret[:])
	return t
}

// String gives the token as one word, which ParseToken reads. It is a secret.
func (t *Token) String() string {
	b := make([]byte, 0, tokenSize)
	b = append(b, t.Fingerprint[:]...)
	b = append(b, t.Secret[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Expires.Unix()))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken reads a token, or a shared secret. The error does not repeat it.
func ParseToken(text string) (*Token, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxToken {
		return nil, fmt.Errorf("a token of %d bytes: %w", len(text), model.ErrInvalid)
	}
	word, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok {
		if len(text) < minShared {
			return nil, fmt.Errorf("neither a token (%s…) nor a secret of at least %d characters: %w", tokenPrefix, minShared, model.ErrInvalid)
		}
		return &Token{Secret: sha256.Sum256([]byte("varve shared secret\x00" + text))}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(word)
	if err != nil || len(b) != tokenSize || crc32.Checksum(b[:tokenSize-4], castagnoli) != binary.BigEndian.Uint32(b[tokenSize-4:]) {
		return nil, fmt.Errorf("the token is not complete, or was changed in copying it: %w", model.ErrInvalid)
	}
	t := &Token{}
	b = b[copy(t.Fingerprint[:], b):]
	b = b[copy(t.Secret[:], b):]
	t.Expires = time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	return t, nil
}

// ID names the token without giving it away.
func (t *Token) ID() string {
	sum := sha256.Sum256(append([]byte("varve token id\x00"), t.Secret[:]...))
	return hex.EncodeToString(sum[:8])
}

// Expired reports whether the token lets nobody in any more.
func (t *Token) Expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// Side is who gives a proof, so that nobody can send one back.
type Side string

// The two sides of a join.
const (
	SideMember Side = "member"
	SideJoiner Side = "joiner"
)

// Nonce is a number that is used once.
type Nonce [32]byte

// NewNonce draws a Nonce.
func NewNonce() (n Nonce) {
	rand.Read(n[:])
	return n
}

// Exchange is what the proofs of one join are over.
type Exchange struct {
	Joiner, Member Nonce
	Server         [sha256.Size]byte // hash of the member's certificate on this connection
}

// Proof shows that one side has the secret, in this exchange, and binds what it
// says besides.
func (t *Token) Proof(side Side, x Exchange, says []byte) []byte {
	m := hmac.New(sha256.New, t.Secret[:])
	fmt.Fprintf(m, "varve join 1 %s\x00", side)
	m.Write(x.Joiner[:])
	m.Write(x.Member[:])
	m.Write(x.Server[:])
	m.Write(says)
	return m.Sum(nil)
}

// Proves reports whether proof is what Proof gives.
func (t *Token) Proves(proof []byte, side Side, x Exchange, says []byte) bool {
	return hmac.Equal(proof, t.Proof(side, x, says))
}

// Names reports whether the token was made for the cluster of an authority.
func (t *Token) Names(fingerprint [sha256.Size]byte) bool {
	return t.Fingerprint == [sha256.Size]byte{} || bytes.Equal(t.Fingerprint[:], fingerprint[:])
}
