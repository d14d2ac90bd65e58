package lineprotocol

import (
	"fmt"

	"github.com/varvedb/varve/model"
)

// maxStringBytes bounds a string field, as InfluxDB does from 1.12 on.
const maxStringBytes = 1 << 20

// Drops is points that parse but must not be stored: those with a tag named
// "time", with no field but "time", with a string that is too long, or with too
// many tags or fields.
type Drops struct {
	Count int
	// Reason is why, in InfluxDB's words. InfluxDB looks at the tags of all
	// points before it looks at fields, and so does the choice among several.
	Reason string

	ofTag bool
}

func (d *Drops) add(reason string, ofTag bool) {
	d.Count++
	if d.Reason == "" || ofTag && !d.ofTag {
		d.Reason, d.ofTag = reason, ofTag
	}
}

// drop takes out of p what is not stored, and reports whether the whole point
// is not.
func (d *Drops) drop(p *point, maxTags int) bool {
	for _, t := range p.tags {
		if string(t.key) == "time" {
			d.add(fmt.Sprintf(`invalid tag key: input tag "time" on measurement "%s" is invalid`, p.measurement), true)
			return true
		}
	}
	if n := len(p.tags); n > maxTags {
		d.add(fmt.Sprintf(`max-tags-per-point limit exceeded (%d/%d): measurement="%s"`, n, maxTags, p.measurement), true)
		return true
	}
	if p.more > 0 {
		d.add(fmt.Sprintf(`max-fields-per-point limit exceeded (%d/%d): measurement="%s"`, len(p.fields)+p.more, p.maxFields, p.measurement), false)
		return true
	}
	kept := p.fields[:0]
	for _, f := range p.fields {
		if string(f.name) != "time" {
			kept = append(kept, f)
		}
	}
	p.fields = kept
	if len(kept) == 0 {
		d.add(fmt.Sprintf(`invalid field name: input field "time" on measurement "%s" is invalid`, p.measurement), false)
		return true
	}
	for _, f := range kept {
		if f.typ == model.String && len(f.text) > maxStringBytes {
			d.add(fmt.Sprintf(`input field "%s" on measurement "%s" is too long, %d > %d`, f.name, p.measurement, len(f.text), maxStringBytes), false)
			return true
		}
	}
	return false
}
