package httpapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/influxdata/influxql"
	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// The routes below /api/v2/buckets are those of InfluxDB 1.12: a bucket is a
// retention policy, and its id is its name, database/policy. Who may do what is
// decided on the statement that stands for the request.

// createBucket makes a policy, and its database where there is none.
func (s *Server) createBucket(c echo.Context) error {
	var body struct {
		bucketBody
		Policy string `json:"rp"`
	}
	if err := s.readJSON(c, &body); err != nil {
		return s.fail(c, fmt.Errorf("buckets - %w", err))
	}
	db, policy, err := cutBucket(body.Name)
	switch {
	case err != nil:
		return s.fail(c, invalid("buckets - illegal bucket name: "+err.Error()))
	case policy == "":
		return s.fail(c, invalid(fmt.Sprintf("buckets - illegal bucket name: %q", body.Name)))
	case body.Policy != "" && body.Policy != policy:
		return s.fail(c, invalid(fmt.Sprintf("buckets - two retention policies specified: %q differs from %q", policy, body.Policy)))
	}
	keep, shards, err := body.durations()
	if err == nil {
		err = s.createPolicy(c, db, policy, keep, shards)
	}
	if err != nil {
		return s.fail(c, fmt.Errorf("buckets - cannot create bucket %q: %w", body.Name, err))
	}
	b, err := s.findBucket(c, db, policy)
	if err != nil {
		return s.fail(c, fmt.Errorf("buckets - %w", err))
	}
	return sendJSON(c, http.StatusCreated, b)
}

// createPolicy makes a policy, in a database that there is or that it makes.
func (s *Server) createPolicy(c echo.Context, db, policy string, keep, shards *time.Duration) error {
	_, err := s.parts.Databases.Database(c.Request().Context(), db)
	var stmt influxql.Statement
	switch {
	case err == nil:
		create := &influxql.CreateRetentionPolicyStatement{Name: policy, Database: db}
		if keep != nil {
			create.Duration, create.ShardGroupDuration = *keep, *shards
		}
		stmt = create
	case errors.Is(err, model.ErrNotFound):
		create := &influxql.CreateDatabaseStatement{Name: db, RetentionPolicyCreate: true, RetentionPolicyName: policy, RetentionPolicyDuration: keep}
		if shards != nil {
			create.RetentionPolicyShardGroupDuration = *shards
		}
		stmt = create
	default:
		return err
	}
	q, err := s.make(c, db, stmt)
	if err != nil {
		return err
	}
	return s.run(c, q)
}

// bucketByID gives the database and policy that the path names.
func bucketByID(c echo.Context) (id, db, policy string, err error) {
	id = c.Param("bucket")
	if c.Request().URL.RawPath != "" { // the router looks at that one then
		if id, err = url.PathUnescape(id); err != nil {
			return "", "", "", invalid(err.Error())
		}
	}
	if db, policy, err = cutBucket(id); err != nil {
		err = invalid(fmt.Sprintf("bucket %q: %s", id, err))
	} else if policy == "" {
		err = invalid(fmt.Sprintf("bucket %q: illegal bucket id, empty retention policy", id))
	}
	return id, db, policy, err
}

func (s *Server) deleteBucket(c echo.Context) error {
	id, db, policy, err := bucketByID(c)
	if err != nil {
		return s.fail(c, err)
	}
	q, err := s.make(c, db, &influxql.DropRetentionPolicyStatement{Name: policy, Database: db})
	if err != nil {
		return s.fail(c, fmt.Errorf("delete bucket %q: %w", id, err))
	}
	if _, err := s.findBucket(c, db, policy); errors.Is(err, model.ErrNotFound) {
		return s.fail(c, &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("delete bucket - not found: %q", id)})
	} else if err != nil {
		return s.fail(c, fmt.Errorf("delete bucket %q: %w", id, err))
	}
	if err := s.run(c, q); err != nil {
		return s.fail(c, fmt.Errorf("delete bucket %q: %w", id, err))
	}
	return done(c)
}

func (s *Server) updateBucket(c echo.Context) error {
	id, db, policy, err := bucketByID(c)
	if err != nil {
		return s.fail(c, err)
	}
	var body bucketBody
	if err := s.readJSON(c, &body); err != nil {
		return s.fail(c, fmt.Errorf("update bucket - %w", err))
	}
	change := &influxql.AlterRetentionPolicyStatement{Name: policy, Database: db}
	if change.Duration, change.ShardGroupDuration, err = body.durations(); err == nil {
		var q *query.Query
		if q, err = s.make(c, db, change); err == nil {
			err = s.run(c, q)
		}
	}
	if err != nil {
		return s.fail(c, fmt.Errorf("update bucket %q: %w", id, err))
	}
	b, err := s.findBucket(c, db, policy)
	if err != nil {
		return s.fail(c, fmt.Errorf("update bucket - %w", err))
	}
	return sendJSON(c, http.StatusOK, b)
}

func (s *Server) getBucket(c echo.Context) error {
	_, db, policy, err := bucketByID(c)
	if err != nil {
		return s.fail(c, err)
	}
	err = s.allowed(c, func(u query.User) error {
		if u == nil || u.May(db, influxql.ReadPrivilege) {
			return nil
		}
		return forbidden("retrieve bucket - %q is not authorized to read %q", u.Name(), db)
	})
	if err != nil {
		return s.fail(c, err)
	}
	b, err := s.findBucket(c, db, policy)
	if err != nil {
		return s.fail(c, err)
	}
	return sendJSON(c, http.StatusOK, b)
}

// findBucket gives a bucket, or an error of kind model.ErrNotFound.
func (s *Server) findBucket(c echo.Context, db, policy string) (bucket, error) {
	missing := &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("bucket not found: %q", db+"/"+policy)}
	found, err := s.parts.Databases.Database(c.Request().Context(), db)
	if errors.Is(err, model.ErrNotFound) {
		return bucket{}, missing
	} else if err != nil {
		return bucket{}, err
	}
	p, ok := found.Policy(cmp.Or(policy, found.DefaultPolicy))
	if !ok {
		return bucket{}, missing
	}
	return bucketOf(db, p), nil
}

// listBuckets gives the buckets of the databases that who asks may read.
func (s *Server) listBuckets(c echo.Context) error {
	all, err := s.readableBuckets(c)
	if err != nil {
		return s.fail(c, err)
	}
	id, name := c.QueryParam("id"), c.QueryParam("name")
	if id != "" && name != "" && id != name {
		return s.fail(c, invalid(fmt.Sprintf("list buckets: name: %q and id: %q do not match", name, id)))
	}
	if name = cmp.Or(id, name); name != "" {
		i := slices.IndexFunc(all, func(b bucket) bool { return b.ID == name })
		if i < 0 {
			return s.fail(c, &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("bucket not found: %q", name)})
		}
		return sendBuckets(c, all[i:i+1])
	}
	limit, err := number(c, "limit", 100)
	if err != nil {
		return s.fail(c, err)
	}
	if limit <= 0 {
		limit = math.MaxInt
	}
	offset, err := number(c, "offset", 0)
	if err != nil {
		return s.fail(c, err)
	}
	if after := c.QueryParam("after"); after != "" {
		if c.QueryParam("offset") != "" {
			return s.fail(c, invalid(`list buckets cannot have both "offset" and "after" arguments`))
		}
		i := slices.IndexFunc(all, func(b bucket) bool { return b.ID == after })
		if i < 0 {
			return s.fail(c, &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf(`list buckets "after" parameter not found: %q`, after)})
		}
		offset = i + 1
	}
	all = all[min(max(offset, 0), len(all)):]
	return sendBuckets(c, all[:min(limit, len(all))])
}

func (s *Server) readableBuckets(c echo.Context) ([]bucket, error) {
	dbs, err := s.parts.Databases.Databases(c.Request().Context())
	if err != nil {
		return nil, err
	}
	u := userOf(c)
	all := []bucket{}
	for _, db := range dbs {
		if u != nil && !u.May(db.Name, influxql.ReadPrivilege) {
			continue
		}
		for _, p := range db.Policies {
			all = append(all, bucketOf(db.Name, p))
		}
	}
	return all, nil
}

// number reads a parameter of a list.
func number(c echo.Context, name string, otherwise int) (int, error) {
	text := c.QueryParam(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, invalid(fmt.Sprintf("list buckets parameter is not an integer - %s=%q: %s", name, text, err))
	}
	return n, nil
}

func sendBuckets(c echo.Context, list []bucket) error {
	return sendJSON(c, http.StatusOK, struct {
		Buckets []bucket `json:"buckets"`
	}{list})
}

func sendJSON(c echo.Context, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.Blob(status, "application/json", text)
}

// noBuckets answers what InfluxDB does not have of buckets.
func (s *Server) noBuckets(what string) echo.HandlerFunc {
	return func(c echo.Context) error {
		return s.failWith(c, http.StatusMethodNotAllowed, "bucket "+what+" not supported in this version")
	}
}
