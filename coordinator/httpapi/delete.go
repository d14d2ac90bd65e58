package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/influxdata/influxql"
	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/model"
)

// deleteRequest is the body of a delete of the version 2 API.
type deleteRequest struct {
	Start     string `json:"start"`
	Stop      string `json:"stop"`
	Predicate string `json:"predicate"`
}

// deleteV2 answers /api/v2/delete as InfluxDB 1.12 does, but that what it deletes
// is of the bucket's policy alone.
func (s *Server) deleteV2(c echo.Context) error {
	db, policy, err := cutBucket(c.QueryParam("bucket"))
	if err != nil {
		return s.fail(c, fmt.Errorf("delete - bucket: %w", err))
	}
	if err := s.mayWrite(c, db); err != nil {
		return s.fail(c, fmt.Errorf("delete - %w", err))
	}
	if policy, err = s.policyOf(c, db, policy); err != nil {
		return s.fail(c, fmt.Errorf("delete - %w", err))
	}
	var request deleteRequest
	if err := s.readJSON(c, &request); err != nil {
		return s.fail(c, fmt.Errorf("delete - %w", err))
	}
	stmt, err := request.statement(db, policy)
	if err != nil {
		return s.fail(c, fmt.Errorf("delete - %w", err))
	}
	q, err := s.make(c, db, stmt)
	if err == nil {
		err = s.run(c, q)
	}
	if err != nil {
		return s.fail(c, fmt.Errorf("delete - database: %q, retention policy: %q, start: %q, stop: %q, predicate: %q, error: %w",
			db, policy, request.Start, request.Stop, request.Predicate, err))
	}
	return done(c)
}

// done answers a change that has nothing to say.
func done(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderContentType, accepted(c.Request()).contentType)
	return c.NoContent(http.StatusOK)
}

// policyOf gives the policy of a bucket, which is the default one where it names
// none.
func (s *Server) policyOf(c echo.Context, db, policy string) (string, error) {
	found, err := s.parts.Databases.Database(c.Request().Context(), db)
	if errors.Is(err, model.ErrNotFound) {
		return "", &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("database not found: %q", db)}
	} else if err != nil {
		return "", err
	}
	name := policy
	if name == "" {
		name = found.DefaultPolicy
	}
	if _, ok := found.Policy(name); !ok {
		return "", &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("retention policy not found in %q: %q", db, policy)}
	}
	return name, nil
}

// readJSON reads a body into to.
func (s *Server) readJSON(c echo.Context, to any) error {
	b, err := s.readBody(c)
	if err != nil {
		return err
	}
	defer b.release()
	defer b.parsed()
	if err := json.Unmarshal(b.data, to); err != nil {
		return invalid("cannot parse request body: " + err.Error())
	}
	return nil
}

// everyMeasurement matches the names of all.
var everyMeasurement = regexp.MustCompile("")

// statement gives the statement that deletes what is asked for.
func (r *deleteRequest) statement(db, policy string) (influxql.Statement, error) {
	start, err := timeField("start", r.Start)
	if err != nil {
		return nil, err
	}
	stop, err := timeField("stop", r.Stop)
	if err != nil {
		return nil, err
	}
	from := &influxql.Measurement{RetentionPolicy: policy, Regex: &influxql.RegexLiteral{Val: everyMeasurement}}
	condition := and(compareTime(influxql.GTE, start), compareTime(influxql.LT, stop))
	var parts []comparison
	if r.Predicate != "" {
		parts, err = parsePredicate(r.Predicate)
	}
	if err != nil {
		return nil, invalid(fmt.Sprintf("%s. database: %q, retention policy: %q, start: %q, stop: %q, predicate: %q", err, db, policy, r.Start, r.Stop, r.Predicate))
	}
	for _, p := range parts {
		switch p.key {
		case "_measurement":
			if from.Regex == nil && from.Name != p.value {
				return nil, invalid("predicate names two measurements")
			}
			from.Name, from.Regex = p.value, nil
		case "_field", "time":
			return nil, invalid("predicate is about tags and _measurement only, not about " + p.key)
		default:
			condition = and(condition, &influxql.BinaryExpr{
				Op: influxql.EQ, LHS: &influxql.VarRef{Val: p.key}, RHS: &influxql.StringLiteral{Val: p.value},
			})
		}
	}
	return &influxql.DeleteSeriesStatement{Sources: influxql.Sources{from}, Condition: condition}, nil
}

// timeField reads a time of the body.
func timeField(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, invalid(name + " field in RFC3339Nano format required")
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, invalid(fmt.Sprintf("invalid format for %s field %q, please use RFC3339Nano: %s", name, text, err))
	}
	// Beyond these times are no points.
	if first := time.Unix(0, model.MinTime); t.Before(first) {
		return first, nil
	}
	if last := time.Unix(0, model.MaxTime); t.After(last) {
		return last, nil
	}
	return t, nil
}

func compareTime(op influxql.Token, t time.Time) influxql.Expr {
	return &influxql.BinaryExpr{Op: op, LHS: &influxql.VarRef{Val: "time"}, RHS: &influxql.TimeLiteral{Val: t.UTC()}}
}

func and(l, r influxql.Expr) influxql.Expr {
	return &influxql.BinaryExpr{Op: influxql.AND, LHS: l, RHS: r}
}
