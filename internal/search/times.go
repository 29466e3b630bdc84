package search

import (
	"strconv"
	"strings"
	"time"
)

// time reads the moment of a condition.
func (c *Condition) time(o Options) error {
	if c.Not {
		return c.positive()
	}
	t, ok := moment(strings.ToLower(c.Value), o)
	if !ok || c.Prefix {
		return c.wrong(text("search.bad_time", "\"{value}\" is neither a date nor a time span", "value", c.Value),
			text("search.bad_time_hint", "write 2026-11-30, 2026-11-30T10:00, today, yesterday, or how long ago: 90m, 12h, 2d, 3w"))
	}
	c.Time = t
	return nil
}

// moment reads a date or a time in the reader's zone, a word, or how long ago.
func moment(v string, o Options) (time.Time, bool) {
	now := o.Now.In(o.Zone)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, o.Zone)
	switch v {
	case "now":
		return now, true
	case "today":
		return today, true
	case "yesterday":
		return today.AddDate(0, 0, -1), true
	}
	if t, ok := ago(v, now); ok {
		return t, true
	}
	v = strings.ToUpper(v) // T and Z
	if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
		return t, inReach(t)
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly,
		"2006-01", "2006"} {
		if t, err := time.ParseInLocation(layout, v, o.Zone); err == nil {
			return t, inReach(t)
		}
	}
	return time.Time{}, false
}

// inReach keeps times within what the store's microseconds hold.
func inReach(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 2262 }

// ago reads a number and a unit.
func ago(v string, now time.Time) (time.Time, bool) {
	if len(v) < 2 {
		return time.Time{}, false
	}
	n, err := strconv.Atoi(v[:len(v)-1])
	if err != nil || n < 0 || n > 100_000 || v[0] == '+' {
		return time.Time{}, false
	}
	switch v[len(v)-1] {
	case 'm':
		return now.Add(-time.Duration(n) * time.Minute), true
	case 'h':
		return now.Add(-time.Duration(n) * time.Hour), true
	case 'd':
		return now.AddDate(0, 0, -n), n < 20_000
	case 'w':
		return now.AddDate(0, 0, -7*n), n < 2_500
	}
	return time.Time{}, false
}
