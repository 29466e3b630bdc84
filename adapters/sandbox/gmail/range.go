package gmail

import (
	"errors"
	"strconv"
	"strings"
)

// uploadUnit: chunks but the last are multiples of it (contracts C1.8).
const uploadUnit = 256 << 10

// A contentRange is a Content-Range of a resumable upload.
type contentRange struct {
	query      bool  // "bytes */...": no bytes, only a question or the end
	start, end int64 // inclusive
	total      int64 // -1: not known yet
}

var errContentRange = errors.New("failed to parse Content-Range header")

// parseContentRange reads "bytes a-b/total", "bytes a-b/*", "bytes */total"
// and "bytes */*" (RFC 9110 section 14.4).
func parseContentRange(v string) (contentRange, error) {
	rest, ok := strings.CutPrefix(v, "bytes ")
	if !ok {
		return contentRange{}, errContentRange
	}
	span, total, ok := strings.Cut(rest, "/")
	if !ok {
		return contentRange{}, errContentRange
	}
	r := contentRange{total: -1}
	if total != "*" {
		if r.total, ok = digits(total); !ok {
			return contentRange{}, errContentRange
		}
	}
	if span == "*" {
		r.query = true
		return r, nil
	}
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return contentRange{}, errContentRange
	}
	var ok2 bool
	r.start, ok = digits(first)
	r.end, ok2 = digits(last)
	if !ok || !ok2 || r.end < r.start || r.total >= 0 && r.end >= r.total {
		return contentRange{}, errContentRange
	}
	return r, nil
}

// digits reads a number of digits alone; signs and spaces are no number.
func digits(v string) (int64, bool) {
	if v == "" || len(v) > 18 || strings.Trim(v, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(v, 10, 64)
	return n, err == nil
}
