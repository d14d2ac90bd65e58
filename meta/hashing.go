package meta

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/crypto/bcrypt"
)

// hashing makes and compares the hashes of passwords, which are those of
// InfluxDB: bcrypt of its cost, so that what is taken over from one goes on to
// work. One takes about 50 ms of a processor, by design; the others wait, so
// that neither writes nor queries starve.
type hashing struct{ slots chan struct{} }

// maxPasswordBytes is how much of a password bcrypt reads. The rest does not
// count, as in InfluxDB.
const maxPasswordBytes = 72

func newHashing() hashing {
	return hashing{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
}

// hash gives what is stored of a password.
func (h hashing) hash(ctx context.Context, password string) (hash string, err error) {
	err = h.run(ctx, func() error {
		b, err := bcrypt.GenerateFromPassword(significant(password), bcrypt.DefaultCost)
		if err != nil {
			return fmt.Errorf("hash password: %w", err)
		}
		hash = string(b)
		return nil
	})
	return hash, err
}

// matches reports whether a hash is that of a password.
func (h hashing) matches(ctx context.Context, hash, password string) (ok bool, err error) {
	err = h.run(ctx, func() error {
		ok = bcrypt.CompareHashAndPassword([]byte(hash), significant(password)) == nil
		return nil
	})
	return ok, err
}

// IsPassword reports whether a password is that of u. Of a nil u none is, which
// takes as long to say: how long an answer took must not tell who is known.
//
// It takes about 50 ms of a processor, and may wait for its turn.
func (s *Store) IsPassword(ctx context.Context, u *User, password string) (bool, error) {
	hash := nobodysHash
	if u != nil {
		hash = u.hash
	}
	same, err := s.hashing.matches(ctx, hash, password)
	return same && u != nil, err
}

// nobodysHash is of a password of 32 random bytes that was thrown away, and as dear
// as those of users.
const nobodysHash = "$2a$10$RBGjOYW1jCIcMtvYfosZxuf93V5lbZL2oocOWcaotRPW5.CN94Fni"

// SamePassword reports whether v is the user u with the password that u has.
func (u *User) SamePassword(v *User) bool { return u.UID == v.UID && u.hash == v.hash }

func (h hashing) run(ctx context.Context, work func() error) error {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
		return work()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func significant(password string) []byte {
	return []byte(password[:min(len(password), maxPasswordBytes)])
}
