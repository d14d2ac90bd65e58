package adminapi

import "time"

// AccessTokens answers GET /tokens.
type AccessTokens struct {
	Tokens []AccessToken `json:"tokens"`
}

// AccessToken is a token that lets a program in. AccessTokenRequest makes one by
// POST /tokens, and DELETE /tokens/ID revokes it; its name does, too.
type AccessToken struct {
	ID      uint64     `json:"id"`
	Name    string     `json:"name"`
	Admin   bool       `json:"admin,omitempty"`
	Monitor bool       `json:"monitor,omitempty"`
	Read    []string   `json:"read,omitempty"`  // databases
	Write   []string   `json:"write,omitempty"` // databases
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"` // never without one
	Expired bool       `json:"expired,omitempty"`

	// Token is the text to send, in the answer to its making only: nobody can be
	// told again.
	Token string `json:"token,omitempty"`
}

// AccessTokenRequest says what a token is for.
type AccessTokenRequest struct {
	Name    string        `json:"name"`
	Admin   bool          `json:"admin,omitempty"`
	Monitor bool          `json:"monitor,omitempty"`
	Read    []string      `json:"read,omitempty"`
	Write   []string      `json:"write,omitempty"`
	Life    time.Duration `json:"life,omitempty"` // 0: for ever
}
