package meta

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/varvedb/varve/model"
)

// maxSecretBytes bounds the value of one secret; a few kilobytes are a
// certificate with its key.
const maxSecretBytes = 64 << 10

// Secret is a small value that nodes of the cluster share, such as a token to
// join it. It is in no Snapshot, and in no file of a node.
type Secret struct {
	Name    string
	Value   []byte
	Expires time.Time // zero: never
}

// expired reports whether the secret counts as gone.
func (s *Secret) expired() bool { return !s.Expires.IsZero() && !time.Now().Before(s.Expires) }

// PutSecret keeps a value under a name, in place of the one that is there. After
// ttl it is gone; 0 is for ever.
func (s *Store) PutSecret(ctx context.Context, name string, value []byte, ttl time.Duration) error {
	r := secretRecord{Format: recordFormat, Value: value}
	switch {
	case name == "":
		return invalid("a secret needs a name")
	case len(value) > maxSecretBytes:
		return &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("secret %s is of %d bytes, over %d", name, len(value), maxSecretBytes)}
	case ttl < 0:
		return invalid(fmt.Sprintf("secret %s ends before it begins", name))
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	op := Op{Key: s.keys.secret(name)}
	if ttl > 0 {
		// The lease only clears up: etcd gives every lease its full time again
		// when its leader changes.
		r.Expires = time.Now().Add(ttl).UTC()
		lease, err := s.kv.Grant(ctx, ttl)
		if err != nil {
			return s.unavailable(ctx, "grant lease of a secret", err)
		}
		op.Lease = lease
	}
	op.Value = encode(r)
	return s.changeSecret(ctx, "put secret", op, func(have Item, ok bool) bool {
		return ok && bytes.Equal(have.Value, op.Value)
	})
}

// DeleteSecret removes a secret; none of that name is no error.
func (s *Store) DeleteSecret(ctx context.Context, name string) error {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	return s.changeSecret(ctx, "delete secret", Delete(s.keys.secret(name)), func(_ Item, ok bool) bool { return !ok })
}

// changeSecret makes a change, on the condition that the key is as it was read,
// until it is done.
func (s *Store) changeSecret(ctx context.Context, doing string, op Op, done func(have Item, ok bool) bool) error {
	return s.retry(ctx, func() (bool, error) {
		have, ok, err := s.kv.Get(ctx, op.Key)
		if err == nil && done(have, ok) {
			return true, nil
		}
		if err == nil {
			ok, _, err = s.kv.Txn(ctx, []Condition{{Key: op.Key, Revision: have.Modified}}, []Op{op})
		}
		if err != nil {
			return false, s.unavailable(ctx, doing, err)
		}
		return ok, nil
	})
}

// Secret reads a secret, linearizably; model.ErrNotFound says that there is none,
// or that it has expired.
func (s *Store) Secret(ctx context.Context, name string) (*Secret, error) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	item, ok, err := s.kv.Get(ctx, s.keys.secret(name))
	if err != nil {
		return nil, s.unavailable(ctx, "read secret", err)
	}
	if !ok {
		return nil, secretNotFound(name)
	}
	secret, err := s.decodeSecret(item)
	if err == nil && secret.expired() {
		err = secretNotFound(name)
	}
	if err != nil {
		return nil, err
	}
	return secret, nil
}

// Secrets reads all secrets whose names begin with prefix, sorted by the names
// as they are in their keys. What cannot be understood is left out and logged.
func (s *Store) Secrets(ctx context.Context, prefix string) ([]*Secret, error) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	items, _, err := s.kv.Range(ctx, s.keys.secret(prefix))
	if err != nil {
		return nil, s.unavailable(ctx, "read secrets", err)
	}
	var out []*Secret
	for _, item := range items {
		secret, err := s.decodeSecret(item)
		if err != nil {
			s.metrics.badValues.Inc()
			s.log.Error("a secret in the metadata store makes no sense, leaving it out", "error", err)
			continue
		}
		if !secret.expired() {
			out = append(out, secret)
		}
	}
	return out, nil
}

func (s *Store) decodeSecret(item Item) (*Secret, error) {
	name, ok := unescape(strings.TrimPrefix(item.Key, s.keys.secret("")))
	if !ok {
		return nil, corrupt("secret at key %s", item.Key)
	}
	r, err := decode(item.Value, func(r *secretRecord) int { return r.Format })
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", item.Key, err)
	}
	return &Secret{Name: name, Value: r.Value, Expires: r.Expires}, nil
}

func secretNotFound(name string) error {
	return &model.Error{Kind: model.ErrNotFound, Text: "secret not found: " + name}
}
