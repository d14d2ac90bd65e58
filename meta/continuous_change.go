package meta

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/varvedb/varve/model"
)

// Bounds of the continuous queries of a cluster: every node keeps them all in
// memory, and one runs them.
const (
	maxContinuousQueries = 10_000
	maxContinuousBytes   = 16 << 10 // of the text of one
)

// CreateContinuousQuery adds a continuous query to a database. As in InfluxDB,
// any text is a name, "" too. One that exists
// with the same text, in whichever case, is no error; another of that name is
// model.ErrConflict.
func (s *Store) CreateContinuousQuery(ctx context.Context, database, name, text string) error {
	switch {
	case !utf8.ValidString(name) || !utf8.ValidString(text):
		return invalid("invalid name")
	case len(name) > maxNameBytes:
		return invalid("name too long")
	case len(text) > maxContinuousBytes:
		return tooLarge(fmt.Sprintf("continuous query too long: %d bytes, the limit is %d", len(text), maxContinuousBytes))
	}
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d := now.database(database)
		if d == nil {
			return false, databaseNotFound(database)
		}
		if have := now.continuousQuery(d.UID, name); have != nil {
			if !strings.EqualFold(have.Text, text) {
				return false, conflict("continuous query already exists")
			}
			return true, nil
		}
		if len(now.continuous) >= maxContinuousQueries {
			return false, tooLarge(fmt.Sprintf("too many continuous queries: the limit is %d", maxContinuousQueries))
		}
		q := ContinuousQuery{UID: now.counter.next, Database: d.UID, Name: name, Text: text}
		return s.commit(ctx, "create continuous query",
			// Two of one name cannot be made at once: each takes an id.
			[]Condition{{Key: s.keys.database(d.UID), Revision: d.modified}, s.idsUnchanged(now)},
			[]Op{Put(s.keys.continuousQuery(d.UID, q.UID), encode(continuousToRecord(&q))), s.takeIDs(now, 1)})
	})
}

// DropContinuousQuery removes a continuous query; none of that name is no error.
func (s *Store) DropContinuousQuery(ctx context.Context, database, name string) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		d := now.database(database)
		if d == nil {
			return true, nil
		}
		q := now.continuousQuery(d.UID, name)
		if q == nil {
			return true, nil
		}
		key := s.keys.continuousQuery(d.UID, q.UID)
		return s.commit(ctx, "drop continuous query",
			[]Condition{{Key: key, Revision: q.modified}},
			[]Op{Delete(key), Delete(s.keys.progress(d.UID, q.UID))})
	})
}

func (s *Snapshot) continuousQuery(database uint64, name string) *continuousQuery {
	i := slices.IndexFunc(s.continuous, func(q *continuousQuery) bool { return q.Database == database && q.Name == name })
	if i < 0 {
		return nil
	}
	return s.continuous[i]
}

func continuousToRecord(q *ContinuousQuery) continuousRecord {
	return continuousRecord{Format: recordFormat, UID: q.UID, Database: q.Database, Name: q.Name, Text: q.Text}
}

func (b *builder) applyContinuous(c Change, rest string) error {
	databaseText, uidText, _ := strings.Cut(rest, "/")
	database, err := parseID(databaseText)
	if err != nil {
		return err
	}
	uid, err := parseID(uidText)
	if err != nil {
		return err
	}
	id := continuousID{database, uid}
	if c.Removed {
		own(&b.next.continuous, &b.owned.continuous)
		b.next.continuous = remove(b.next.continuous, id, compareContinuous)
		return nil
	}
	r, err := decode(c.Value, func(r *continuousRecord) int { return r.Format })
	if err != nil {
		return err
	}
	if r.UID != uid || r.Database != database {
		return corrupt("value belongs to continuous query %d of database %d", r.UID, r.Database)
	}
	q := &continuousQuery{ContinuousQuery{UID: uid, Database: database, Name: r.Name, Text: r.Text}, c.Modified}
	own(&b.next.continuous, &b.owned.continuous)
	b.next.continuous = insert(b.next.continuous, id, q, compareContinuous)
	return nil
}

func tooLarge(text string) error { return &model.Error{Kind: model.ErrTooLarge, Text: text} }
