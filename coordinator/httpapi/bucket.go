package httpapi

import (
	"time"

	"github.com/varvedb/varve/query"
)

// bucketBody is what a bucket of the version 2 API is made or changed by.
type bucketBody struct {
	Description    string          `json:"description"`
	Name           string          `json:"name"`
	RetentionRules []retentionRule `json:"retentionRules"`
	OrgID          string          `json:"orgId"`
	SchemaType     string          `json:"schemaType"`
}

// retentionRule says how long points are kept; 0 is for ever.
type retentionRule struct {
	Type                      string `json:"type"`
	EverySeconds              int64  `json:"everySeconds"`
	ShardGroupDurationSeconds int64  `json:"shardGroupDurationSeconds"`
}

// bucket is a retention policy as the version 2 API shows it.
type bucket struct {
	bucketBody
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Policy    string    `json:"rp"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

func bucketOf(db string, p query.Policy) bucket {
	name := db + "/" + p.Name
	return bucket{
		bucketBody: bucketBody{
			Name: name,
			RetentionRules: []retentionRule{{
				EverySeconds:              int64(p.Duration / time.Second),
				ShardGroupDurationSeconds: int64(p.ShardDuration / time.Second),
			}},
			SchemaType: "implicit",
		},
		ID: name, Policy: p.Name,
	}
}

// durations gives what the first rule says; nil where there is none. InfluxDB
// keeps points for ever then, also where a bucket is changed in something else.
func (b *bucketBody) durations() (keep, shards *time.Duration, err error) {
	if len(b.RetentionRules) == 0 {
		return nil, nil, nil
	}
	rule := b.RetentionRules[0]
	const most = int64(1<<63-1) / int64(time.Second)
	for _, n := range []int64{rule.EverySeconds, rule.ShardGroupDurationSeconds} {
		if n < 0 || n > most {
			return nil, nil, invalid("a retention rule is out of range")
		}
	}
	keep, shards = new(time.Duration), new(time.Duration)
	*keep = time.Duration(rule.EverySeconds) * time.Second
	*shards = time.Duration(rule.ShardGroupDurationSeconds) * time.Second
	return keep, shards, nil
}
