package httpapi

import (
	"fmt"
	"strings"

	"github.com/varvedb/varve/model"
)

// cutBucket gives the database and the policy that a bucket of the version 2 API
// stands for: "database" or "database/policy". The error is of kind
// model.ErrNotFound.
func cutBucket(bucket string) (db, policy string, err error) {
	db, policy, split := strings.Cut(bucket, "/")
	switch {
	case db == "" && split:
		err = &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("bucket name %q is in db/rp form but has an empty database", bucket)}
	case db == "":
		err = &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("bucket name %q is missing a slash; not in \"database/retention-policy\" format", bucket)}
	}
	return db, policy, err
}
