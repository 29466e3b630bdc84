package mime

import (
	"strings"
	"time"
)

// ParseDate reads a date-time as RFC 5322 section 3.3 writes it and section 4.3
// did: comments and white space between all its parts (none needed after the
// comma), years of two and three digits, zones by name or letter, second 60. It
// is false when v is none.
func ParseDate(v string) (time.Time, bool) {
	// What nearly all write, first.
	if t, err := time.Parse("Mon, 2 Jan 2006 15:04:05 -0700", strings.TrimSuffix(v, " (UTC)")); err == nil {
		return t, true
	}
	d := dateReader{s: v}
	return d.dateTime()
}

// dateReader reads words, numbers and signs from s; what it cannot read makes
// bad true and stays so.
type dateReader struct {
	s   string
	bad bool
}

func (d *dateReader) dateTime() (time.Time, bool) {
	d.skip()
	if d.s != "" && isLetter(d.s[0]) {
		if day := d.word(); !oneOf(day, "Mon Tue Wed Thu Fri Sat Sun") || !d.sign(',') {
			return time.Time{}, false
		}
	}
	day, _ := d.number(1, 2)
	month := monthOf(d.word())
	year, digits := d.number(2, 9)
	switch { // RFC 5322 section 4.3
	case digits == 2 && year < 50:
		year += 2000
	case digits < 4:
		year += 1900
	}
	hour, _ := d.number(1, 2)
	d.bad = d.bad || !d.sign(':')
	minute, _ := d.number(2, 2)
	second := 0
	if !d.bad && d.sign(':') {
		second, _ = d.number(2, 2)
	}
	zone := d.zone()
	switch {
	case d.bad, d.s != "", month == 0, year < 1900, year > 9999, hour > 23, minute > 59, second > 60:
		return time.Time{}, false
	}
	t := time.Date(year, month, day, hour, minute, second, 0, zone)
	if whole := time.Date(year, month, day, 0, 0, 0, 0, time.UTC); whole.Day() != day { // 31 November, or day 0
		return time.Time{}, false
	}
	return t, true
}

// skip passes white space and comments (CFWS, RFC 5322 section 3.2.2).
func (d *dateReader) skip() {
	for d.s != "" {
		switch {
		case isSpace(d.s[0]):
			d.s = d.s[1:]
		case d.s[0] == '(':
			n := commentEnd(d.s)
			if n < 0 {
				d.bad = true
				return
			}
			d.s = d.s[n:]
		default:
			return
		}
	}
}

// number takes from lo to hi digits.
func (d *dateReader) number(lo, hi int) (value, digits int) {
	for digits < len(d.s) && digits < hi && d.s[digits] >= '0' && d.s[digits] <= '9' {
		value = value*10 + int(d.s[digits]-'0')
		digits++
	}
	d.bad = d.bad || digits < lo
	d.s = d.s[digits:]
	d.skip()
	return value, digits
}

// word takes letters.
func (d *dateReader) word() string {
	n := 0
	for n < len(d.s) && isLetter(d.s[n]) {
		n++
	}
	w := d.s[:n]
	d.s = d.s[n:]
	d.skip()
	return w
}

func (d *dateReader) sign(c byte) bool {
	if d.s == "" || d.s[0] != c {
		return false
	}
	d.s = d.s[1:]
	d.skip()
	return true
}

// zone reads +hhmm, -hhmm, or a name; all names but those of North America and
// UT say nothing certain and count as -0000 (RFC 5322 section 4.3).
func (d *dateReader) zone() *time.Location {
	plus := d.s != "" && d.s[0] == '+'
	if plus || d.s != "" && d.s[0] == '-' {
		d.s = d.s[1:] // no white space between the sign and its digits
		n, digits := d.number(4, 4)
		if d.bad = d.bad || digits != 4 || n%100 > 59; d.bad {
			return time.UTC
		}
		seconds := n/100*3600 + n%100*60
		if !plus {
			seconds = -seconds
		}
		return time.FixedZone("", seconds)
	}
	name := strings.ToUpper(d.word())
	if d.bad = d.bad || name == "" || len(name) > 5 || name == "J"; d.bad {
		return time.UTC
	}
	hours := map[string]int{"EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8}
	return time.FixedZone("", hours[name]*3600)
}

func monthOf(name string) time.Month {
	for m := time.January; m <= time.December; m++ {
		if strings.EqualFold(name, m.String()[:3]) {
			return m
		}
	}
	return 0
}

func oneOf(word, list string) bool {
	for w := range strings.FieldsSeq(list) {
		if strings.EqualFold(word, w) {
			return true
		}
	}
	return false
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
