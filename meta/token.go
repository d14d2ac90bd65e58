package meta

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
)

// Token lets a program in that is no user: whoever has its secret may do what it
// says, until it expires or is revoked. It is immutable.
type Token struct {
	TokenSpec
	UID     uint64
	Created time.Time

	digest [sha256.Size]byte // of the secret; see Token.Is
}

// TokenSpec is what a token is for.
type TokenSpec struct {
	Name    string
	Admin   bool      // it may do everything
	Monitor bool      // it may see how the server is
	Grants  []Grant   // sorted by database
	Expires time.Time // zero: never
}

// token is what a snapshot keeps, with the revision of its key.
type token struct {
	Token
	modified int64
}

// Expired reports whether the token has ended at a time.
func (s *TokenSpec) Expired(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }

// Is reports whether secret is the token's. A secret has 256 random bits, so it
// is kept as a plain hash: there is nothing to be guessed.
func (t *Token) Is(secret []byte) bool {
	d := sha256.Sum256(secret)
	return subtle.ConstantTimeCompare(d[:], t.digest[:]) == 1
}

// Tokens gives all tokens, in the order in which they were created.
func (s *Snapshot) Tokens() []*Token {
	out := make([]*Token, len(s.tokens))
	for i, t := range s.tokens {
		out[i] = &t.Token
	}
	return out
}

// Token gives a token, expired or not, or nil. A nil is no proof that there is
// none, before a Store.Refresh.
func (s *Snapshot) Token(uid uint64) *Token {
	if t := s.token(uid); t != nil {
		return &t.Token
	}
	return nil
}

func (s *Snapshot) token(uid uint64) *token {
	i, ok := slices.BinarySearchFunc(s.tokens, uid, compareToken)
	if !ok {
		return nil
	}
	return s.tokens[i]
}

var errTokenNotFound = &model.Error{Kind: model.ErrNotFound, Text: "token not found"}

func tokenToRecord(t *Token) tokenRecord {
	return tokenRecord{
		Format: recordFormat, UID: t.UID, Name: t.Name, Digest: hex.EncodeToString(t.digest[:]),
		Admin: t.Admin, Monitor: t.Monitor, Grants: grantsToRecords(t.Grants), Created: t.Created, Expires: t.Expires,
	}
}

func decodeToken(value []byte) (*Token, error) {
	r, err := decode(value, func(r *tokenRecord) int { return r.Format })
	if err != nil {
		return nil, err
	}
	t := &Token{TokenSpec: TokenSpec{Name: r.Name, Admin: r.Admin, Monitor: r.Monitor, Expires: r.Expires}, UID: r.UID, Created: r.Created}
	digest, err := hex.DecodeString(r.Digest)
	if err != nil || len(digest) != len(t.digest) || r.UID == 0 || r.Name == "" {
		return nil, corrupt("token %d %q without name or digest", r.UID, r.Name)
	}
	copy(t.digest[:], digest)
	if t.Grants, err = decodeGrants(r.Grants); err != nil {
		return nil, corrupt("token %q: %v", r.Name, err)
	}
	return t, nil
}

func (b *builder) applyToken(c Change, rest string) error {
	uid, err := parseID(rest)
	if err != nil {
		return err
	}
	var t *Token
	if !c.Removed {
		if t, err = decodeToken(c.Value); err != nil {
			return err
		}
		if t.UID != uid {
			return corrupt("key and value name tokens %d and %d", uid, t.UID)
		}
	}
	own(&b.next.tokens, &b.owned.tokens)
	if t == nil {
		b.next.tokens = remove(b.next.tokens, uid, compareToken)
		return nil
	}
	b.next.tokens = insert(b.next.tokens, uid, &token{*t, c.Modified}, compareToken)
	return nil
}

func compareToken(t *token, uid uint64) int { return cmp.Compare(t.UID, uid) }
