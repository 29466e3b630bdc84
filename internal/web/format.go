package web

import (
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/mime"
)

// When is a time as "3 min ago", with the exact time and zone in the element.
func (v *visit) When(t time.Time) template.HTML { return v.time(t, ago(v.now, t).In(v.lang)) }

// Day is a date, with the exact time and zone in the element.
func (v *visit) Day(t time.Time) template.HTML { return v.time(t, v.day(t)) }

// Clock is a time of day with its date, to the second.
func (v *visit) Clock(t time.Time) template.HTML { return v.time(t, v.exact(t)) }

func (v *visit) time(t time.Time, shown string) template.HTML {
	if t.IsZero() {
		return "–"
	}
	//nolint:gosec // every part is escaped
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `" title="` + template.HTMLEscapeString(v.exact(t)) + `">` +
		template.HTMLEscapeString(shown) + `</time>`)
}

func (v *visit) exact(t time.Time) string { return t.In(v.zone).Format("2006-01-02 15:04:05 MST") }

func (v *visit) day(t time.Time) string {
	t = t.In(v.zone)
	switch v.lang {
	case "it":
		return t.Format("02/01/2006")
	case "en":
		return t.Format("2 Jan 2006")
	}
	return t.Format(time.DateOnly)
}

// ago says how far a time is from now, in both directions.
func ago(now, t time.Time) mime.Text {
	d := now.Sub(t)
	if d < 0 {
		return in(-d)
	}
	switch {
	case d < time.Minute:
		return text("web.just_now", "just now")
	case d < time.Hour:
		return text("web.minutes_ago", "{n} min ago", "n", int(d.Minutes()))
	case d < 48*time.Hour:
		return text("web.hours_ago", "{n} h ago", "n", int(d.Hours()))
	}
	return mime.NewCount("web.days_ago", int(d.Hours()/24), "one day ago", "{count} days ago")
}

func in(d time.Duration) mime.Text {
	switch {
	case d < time.Minute:
		return text("web.any_moment", "any moment")
	case d < time.Hour:
		return text("web.in_minutes", "in {n} min", "n", int(d.Minutes()))
	case d < 48*time.Hour:
		return text("web.in_hours", "in {n} h", "n", int(d.Hours()))
	}
	return mime.NewCount("web.in_days", int(d.Hours()/24), "in one day", "in {count} days")
}

// Number is a whole number with the marks of thousands of the language.
func (v *visit) Number(n any) string {
	var s string
	switch n := n.(type) {
	case int:
		s = strconv.Itoa(n)
	case int64:
		s = strconv.FormatInt(n, 10)
	default:
		return ""
	}
	mark := ","
	if v.lang == "it" {
		mark = "."
	}
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteString(mark)
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// Short is a file name that fits into a line: of a long one the beginning and the
// end, which says of what kind it is, with a sign between them.
func (v *visit) Short(name string) string {
	const most, end = 60, 16
	r := []rune(name)
	if len(r) <= most {
		return name
	}
	return string(r[:most-end-1]) + "…" + string(r[len(r)-end:])
}

// Bytes is a size in the units of people: 640 B, 12 kB, 3.4 MB.
func (v *visit) Bytes(n int64) string {
	const k = 1000
	switch {
	case n < k:
		return strconv.FormatInt(n, 10) + " B"
	case n < 100*k:
		return v.decimal(float64(n)/k) + " kB"
	case n < k*k:
		return strconv.FormatInt(n/k, 10) + " kB"
	case n < k*k*k:
		return v.decimal(float64(n)/k/k) + " MB"
	}
	return v.decimal(float64(n)/k/k/k) + " GB"
}

func (v *visit) decimal(f float64) string {
	s := strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
	if v.lang == "it" {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}
