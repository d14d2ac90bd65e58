package admin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/coordinator/auth"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// listTokens gives the tokens that let programs in, expired ones too.
func (a *Admin) listTokens(context.Context) (any, error) {
	s := a.Store.Snapshot()
	out := adminapi.AccessTokens{Tokens: []adminapi.AccessToken{}}
	for _, t := range s.Tokens() {
		out.Tokens = append(out.Tokens, tokenJSON(s, t))
	}
	return &out, nil
}

func tokenJSON(s *meta.Snapshot, t *meta.Token) adminapi.AccessToken {
	out := adminapi.AccessToken{
		ID: t.UID, Name: t.Name, Admin: t.Admin, Monitor: t.Monitor,
		Created: t.Created, Expired: t.Expired(time.Now()),
	}
	if !t.Expires.IsZero() {
		out.Expires = &t.Expires
	}
	for _, g := range t.Grants {
		d := s.DatabaseByUID(g.Database)
		if d == nil {
			continue // dropped
		}
		if g.Privilege&meta.Read != 0 {
			out.Read = append(out.Read, d.Name)
		}
		if g.Privilege&meta.Write != 0 {
			out.Write = append(out.Write, d.Name)
		}
	}
	return out
}

func (a *Admin) createToken(ctx context.Context, r adminapi.AccessTokenRequest) (any, error) {
	spec := meta.TokenSpec{Name: r.Name, Admin: r.Admin, Monitor: r.Monitor}
	switch {
	case r.Life < 0:
		return nil, &model.Error{Kind: model.ErrInvalid, Text: "a token cannot end before it begins"}
	case r.Life > 0:
		spec.Expires = time.Now().Add(r.Life).UTC().Truncate(time.Second)
	}
	var on []meta.DatabaseGrant
	for p, names := range map[meta.Privilege][]string{meta.Read: r.Read, meta.Write: r.Write} {
		for _, name := range names {
			on = append(on, meta.DatabaseGrant{Database: name, Privilege: p})
		}
	}
	t, secret, err := a.Store.CreateToken(ctx, spec, on)
	if err != nil {
		return nil, err
	}
	out := tokenJSON(a.Store.Snapshot(), t)
	out.Token = auth.FormatToken(t.UID, secret)
	return &out, nil
}

// revokeToken ends a token that is named by its id, or by its name.
func (a *Admin) revokeToken(w http.ResponseWriter, r *http.Request) {
	a.answer(w, r, nil, func(ctx context.Context) (any, error) {
		if err := a.Store.Refresh(ctx); err != nil {
			return nil, err
		}
		text := r.PathValue("token")
		id, _ := strconv.ParseUint(text, 10, 64)
		for _, t := range a.Store.Snapshot().Tokens() {
			if t.UID == id || t.Name == text && !t.Expired(time.Now()) {
				return nil, a.Store.RevokeToken(ctx, t.UID)
			}
		}
		return nil, &model.Error{Kind: model.ErrNotFound, Text: "there is no token " + strconv.Quote(text)}
	})
}
