package terminal

import "time"

// Time is how a point in time is shown to people, everywhere: in the zone of this
// machine, which it names by its distance from UTC (RFC 3339, with spaces).
func Time(t time.Time) string { return t.Local().Format(timeForm) }

// UTC is the same form for what is stored, or read on other machines.
func UTC(t time.Time) string { return t.UTC().Format(timeForm) }

const timeForm = "2006-01-02 15:04:05 -07:00"
