package httpapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
)

func bucketJSON(name, policy, every, shards string) string {
	return `{"description":"","name":"` + name + `","retentionRules":[{"type":"","everySeconds":` + every + `,"shardGroupDurationSeconds":` + shards +
		`}],"orgId":"","schemaType":"implicit","id":"` + name + `","type":"","rp":"` + policy + `","createdAt":"0001-01-01T00:00:00Z","updatedAt":"0001-01-01T00:00:00Z"}`
}

func TestBucketsAreRetentionPolicies(t *testing.T) {
	autogen, daily, slash := bucketJSON("db/autogen", "autogen", "0", "604800"), bucketJSON("db/day", "day", "86400", "3600"), bucketJSON("db/x/y", "x/y", "0", "3600")
	list := func(all ...string) string { return `{"buckets":[` + strings.Join(all, ",") + `]}` }
	fail := func(text string) string { return `{"error":"` + text + `"}` + "\n" }
	for _, c := range []struct {
		method, target, body string
		status               int
		want                 string
		ran                  string // the statement
	}{
		{"GET", "/api/v2/buckets", "", 200, list(autogen, daily, slash), ""},
		{"GET", "/api/v2/buckets?limit=1&offset=1", "", 200, list(daily), ""},
		{"GET", "/api/v2/buckets?after=db/day", "", 200, list(slash), ""},
		{"GET", "/api/v2/buckets?offset=9", "", 200, list(), ""},
		{"GET", "/api/v2/buckets?offset=-9223372036854775808&limit=-1", "", 200, list(autogen, daily, slash), ""},
		{"GET", "/api/v2/buckets?name=db/day", "", 200, list(daily), ""},
		{"GET", "/api/v2/buckets?name=db/no", "", 404, fail(`bucket not found: \"db/no\"`), ""},
		{"GET", "/api/v2/buckets?name=a&id=b", "", 400, fail(`list buckets: name: \"a\" and id: \"b\" do not match`), ""},
		{"GET", "/api/v2/buckets?limit=x", "", 400, fail(`list buckets parameter is not an integer - limit=\"x\": strconv.Atoi: parsing \"x\": invalid syntax`), ""},
		{"GET", "/api/v2/buckets?after=zz", "", 404, fail(`list buckets \"after\" parameter not found: \"zz\"`), ""},
		{"GET", "/api/v2/buckets/db%2Fday", "", 200, daily, ""},
		{"GET", "/api/v2/buckets/db%2Fx%2Fy", "", 200, slash, ""},
		{"GET", "/api/v2/buckets/zz%2Frr", "", 404, fail(`bucket not found: \"zz/rr\"`), ""},
		{"GET", "/api/v2/buckets/db", "", 400, fail(`bucket \"db\": illegal bucket id, empty retention policy`), ""},
		{"POST", "/api/v2/buckets", `{"name":"db/day","retentionRules":[{"type":"expire","everySeconds":7200,"shardGroupDurationSeconds":3600}]}`, 201, daily, "CREATE RETENTION POLICY day ON db DURATION 2h REPLICATION 0 SHARD DURATION 1h"},
		{"POST", "/api/v2/buckets", `{"name":"new/day"}`, 404, fail(`buckets - bucket not found: \"new/day\"`), "CREATE DATABASE new WITH NAME day"},
		{"POST", "/api/v2/buckets", `{"name":"db"}`, 400, fail(`buckets - illegal bucket name: \"db\"`), ""},
		{"POST", "/api/v2/buckets", `{"name":"db/a","rp":"b"}`, 400, fail(`buckets - two retention policies specified: \"a\" differs from \"b\"`), ""},
		{"POST", "/api/v2/buckets", `{"name":"db/a","retentionRules":[{"everySeconds":9223372036854775807}]}`, 400, fail(`buckets - cannot create bucket \"db/a\": a retention rule is out of range`), ""},
		{"POST", "/api/v2/buckets", `{`, 400, fail(`buckets - cannot parse request body: unexpected end of JSON input`), ""},
		{"PATCH", "/api/v2/buckets/db%2Fday", `{"retentionRules":[{"everySeconds":86400}]}`, 200, daily, "ALTER RETENTION POLICY day ON db DURATION 1d SHARD DURATION 0s"},
		{"PATCH", "/api/v2/buckets/db%2Fday", `{"description":"x"}`, 200, daily, "ALTER RETENTION POLICY day ON db"},
		{"DELETE", "/api/v2/buckets/db%2Fday", "", 200, "", "DROP RETENTION POLICY day ON db"},
		{"DELETE", "/api/v2/buckets/db%2Fno", "", 404, fail(`delete bucket - not found: \"db/no\"`), ""},
		{"GET", "/api/v2/buckets/db%2Fday/labels", "", 405, fail("bucket labels not supported in this version"), ""},
		{"DELETE", "/api/v2/buckets/db%2Fday/members/1", "", 405, fail("bucket members not supported in this version"), ""},
		{"PUT", "/api/v2/buckets", "", 405, "Method Not Allowed\n", ""},
	} {
		b := newBench(t, nil)
		got := ran(b, nil)
		w := b.do(c.method, c.target, c.body)
		if w.Code != c.status || w.Body.String() != c.want {
			t.Errorf("%s %s %s\n got  %d %s\n want %d %s", c.method, c.target, c.body, w.Code, w.Body, c.status, c.want)
		}
		var want []string
		if c.ran != "" {
			db, _, _ := strings.Cut(strings.TrimPrefix(c.ran, "CREATE DATABASE "), " WITH")
			if !strings.HasPrefix(c.ran, "CREATE DATABASE ") {
				db = "db"
			}
			want = []string{db + ": " + c.ran}
		}
		if !slices.Equal(*got, want) {
			t.Errorf("%s %s %s\n ran  %q\n want %q", c.method, c.target, c.body, *got, want)
		}
	}
	b := newBench(t, nil)
	ran(b, &model.Error{Kind: model.ErrConflict, Text: "retention policy already exists"})
	if w := b.do("POST", "/api/v2/buckets", `{"name":"db/day"}`); w.Code != 400 || w.Body.String() != fail(`buckets - cannot create bucket \"db/day\": retention policy already exists`) {
		t.Errorf("a bucket that exists: %d %s", w.Code, w.Body)
	}
}
