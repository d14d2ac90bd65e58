package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/varvedb/varve/meta"
)

// mark stands for a user with a password: a hash keyed with what is known in this
// process only, and of no use in another.
type mark [sha256.Size]byte

// verified knows which password a hash was found to be of. Its methods may be called
// at the same time.
type verified struct {
	key [32]byte // random

	mu    sync.RWMutex
	users map[uint64]verdict // by uid
}

func newVerified() *verified {
	v := &verified{users: make(map[uint64]verdict)}
	rand.Read(v.key[:])
	return v
}

type verdict struct {
	user *meta.User // at that time
	mark mark
}

// mark gives the mark of a name with a password.
func (v *verified) mark(name, password string) mark {
	h := hmac.New(sha256.New, v.key[:])
	var length [8]byte // so that no other two have the same bytes
	binary.BigEndian.PutUint64(length[:], uint64(len(name)))
	h.Write(length[:])
	h.Write([]byte(name))
	h.Write([]byte(password))
	return mark(h.Sum(nil))
}

// has reports whether the password was found to be that of u, whose hash is the same
// still.
func (v *verified) has(u *meta.User, m mark) bool {
	v.mu.RLock()
	have, ok := v.users[u.UID]
	v.mu.RUnlock()
	return ok && hmac.Equal(have.mark[:], m[:]) && have.user.SamePassword(u)
}

// add notes that the password is that of u, and forgets those of users who are gone
// or have another. It looks at all of them, which is little beside finding out.
func (v *verified) add(u *meta.User, m mark, now *meta.Snapshot) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for uid, have := range v.users {
		if is := now.User(have.user.Name); is == nil || !is.SamePassword(have.user) {
			delete(v.users, uid)
		}
	}
	v.users[u.UID] = verdict{u, m}
}
