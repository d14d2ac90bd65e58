package joining

import (
	"encoding/json"
	"fmt"

	"github.com/varvedb/varve/internal/rpc/trust"
	"github.com/varvedb/varve/model"
)

// Methods of the rpc port.
const (
	methodGreet   = "cluster.greet"
	methodJoin    = "cluster.join"
	methodCertify = "cluster.certify"
)

// Messages are JSON: they are few, and small.

type greetRequest struct {
	Token  string      `json:"token,omitempty"` // its ID
	Joiner trust.Nonce `json:"joiner"`
}

type greetAnswer struct {
	Cluster string      `json:"cluster"`
	Member  trust.Nonce `json:"member"`
	Proof   []byte      `json:"proof,omitempty"`
	Signers []string    `json:"signers,omitempty"` // addresses of those that let nodes in; empty: this one does
}

type joinRequest struct {
	Token  string      `json:"token,omitempty"`
	Joiner trust.Nonce `json:"joiner"`
	Member trust.Nonce `json:"member"`
	Says   []byte      `json:"says"` // a joinSays; what the proof is over
	Proof  []byte      `json:"proof,omitempty"`
}

type joinSays struct {
	Name    string `json:"name"`
	Meta    bool   `json:"meta"`              // it will run the metadata
	Request []byte `json:"request,omitempty"` // for a certificate
}

type joinAnswer struct {
	Cluster      string   `json:"cluster"`
	Certificate  []byte   `json:"certificate,omitempty"`
	Authority    []byte   `json:"authority,omitempty"`
	AuthorityKey []byte   `json:"authority_key,omitempty"`
	Etcd         []string `json:"etcd"`               // its client addresses
	External     bool     `json:"external,omitempty"` // etcd is not run by the nodes
	Members      []string `json:"members"`            // their rpc addresses
}

type certifyRequest struct {
	Node        uint64 `json:"node"`
	Incarnation uint64 `json:"incarnation"` // of its data directory, as registered
	Request     []byte `json:"request"`
}

type certifyAnswer struct {
	Certificate []byte `json:"certificate"`
}

func encode(message any) []byte {
	b, err := json.Marshal(message)
	if err != nil {
		panic(fmt.Sprintf("joining: %T has no JSON: %v", message, err))
	}
	return b
}

func decode(b []byte, message any) error {
	if err := json.Unmarshal(b, message); err != nil {
		return fmt.Errorf("message of a join: %w: %w", model.ErrInvalid, err)
	}
	return nil
}
