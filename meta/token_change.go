package meta

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	// maxTokens bounds the tokens of a cluster, which every node keeps in memory.
	maxTokens = 10_000
	// keepExpired is for how long an expired token is still listed: who looks for
	// the reason why a program is refused finds it.
	keepExpired = 30 * 24 * time.Hour
)

// CreateToken makes a token and gives its secret, which is kept nowhere: 32 random
// bytes. on takes the place of spec.Grants. Another live token of that name is
// model.ErrConflict.
func (s *Store) CreateToken(ctx context.Context, spec TokenSpec, on []DatabaseGrant) (*Token, []byte, error) {
	if err := checkToken(spec, on); err != nil {
		return nil, nil, err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	t := Token{TokenSpec: spec, digest: sha256.Sum256(secret)}
	err := s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		at := time.Now()
		t.Created = at.UTC().Truncate(time.Second)
		for _, have := range now.tokens {
			switch {
			case have.digest == t.digest:
				return true, nil // by a try whose answer was lost
			case have.Name == t.Name && !have.Expired(at):
				return false, conflict(fmt.Sprintf("there is a token named %q", t.Name))
			}
		}
		var err error
		if t.Grants, err = grantsOn(now, on); err != nil {
			return false, err
		}
		t.UID = now.counter.next
		// Two of one name cannot be made at once: each takes an id.
		when := []Condition{s.idsUnchanged(now)}
		ops := []Op{Put(s.keys.token(t.UID), encode(tokenToRecord(&t))), s.takeIDs(now, 1)}
		forgotten := s.forgetTokens(now, at)
		if len(now.tokens)-len(forgotten) >= maxTokens {
			return false, tooLarge(fmt.Sprintf("too many tokens: the limit is %d", maxTokens))
		}
		return s.commit(ctx, "create token", when, append(ops, forgotten...))
	})
	if err != nil {
		return nil, nil, err
	}
	return &t, secret, nil
}

// forgetTokens removes some of those that expired long ago.
func (s *Store) forgetTokens(now *Snapshot, at time.Time) []Op {
	var ops []Op
	for _, t := range now.tokens {
		if t.Expired(at.Add(-keepExpired)) && len(ops) < MaxOps/2 {
			ops = append(ops, Delete(s.keys.token(t.UID)))
		}
	}
	return ops
}

// RevokeToken removes a token; model.ErrNotFound says that there was none.
func (s *Store) RevokeToken(ctx context.Context, uid uint64) error {
	tried := false // when it is gone then, this may have done it
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		t := now.token(uid)
		switch {
		case t == nil && tried:
			return true, nil
		case t == nil:
			return false, errTokenNotFound
		}
		tried = true
		key := s.keys.token(uid)
		return s.commit(ctx, "revoke token", []Condition{{Key: key, Revision: t.modified}}, []Op{Delete(key)})
	})
}

func checkToken(spec TokenSpec, on []DatabaseGrant) error {
	switch {
	case spec.Name == "":
		return invalid("a token needs a name")
	case !utf8.ValidString(spec.Name):
		return invalid("invalid name")
	case len(spec.Name) > maxNameBytes:
		return invalid("name too long")
	case isNumber(spec.Name):
		return invalid("a token's name is not a number: that would be the number of another")
	case !spec.Admin && !spec.Monitor && len(on) == 0:
		return invalid("a token that may do nothing")
	case spec.Expired(time.Now()):
		return invalid("a token that has expired")
	}
	return nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}
