package lineprotocol

import "strings"

// reasons begin the texts of why lines and points are not stored. Some go on with
// what the line says, so a text as it is would be one of any number.
var reasons = []string{
	"missing measurement",
	"missing fields",
	"missing tag key",
	"missing tag value",
	"invalid tag format",
	"duplicate tags",
	"missing field key",
	"missing field value",
	"invalid field format",
	"unbalanced quotes",
	"invalid number",
	"invalid float",
	"invalid boolean",
	"bad timestamp",
	"point is invalid",
	"invalid value",
	"time outside range",
	"max key length exceeded",
	"unable to parse integer",
	"unable to parse unsigned",
	"invalid tag key",
	"invalid field name",
	"input field",
	"field type conflict",
	"points beyond retention policy",
	"max-series-per-database limit exceeded",
	"max-values-per-tag limit exceeded",
}

// Reason gives the kind of a reason, one of few, for counting.
func Reason(text string) string {
	for _, r := range reasons {
		if strings.HasPrefix(text, r) {
			return r
		}
	}
	return "other"
}
