package watch

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// The kinds of alerts. They are stored and part of events: never change them.
const (
	KindSecret            = store.KindSecret            // of a connection
	KindClientCertificate = store.KindClientCertificate // of a connection
	KindServerCertificate = "server_certificate"        // of a server that mail is sent to
	KindListener          = "listener_certificate"
	KindAuth              = "auth"    // a connection's credential is refused
	KindBudget            = "budget"  // a mailbox has few recipients left today
	KindWaiting           = "waiting" // mail waits too long
)

// quiet is the level of what need not be reported.
const quiet = math.MaxInt

// day is the unit of levels.
const day = 24 * time.Hour

// A finding is what one look says of one thing.
type finding struct {
	key, kind     string
	connection    string // id; empty: of none
	lane          string // of a budget
	name          string // for people
	ends          time.Time
	level         int // days before the end, 0 for trouble that knows no days, quiet: all is well
	message, hint mime.Text
}

// level is the last of the days (before ends, a certificate's whole life is
// lifetime; 0: not known) that has been reached at now; quiet: none.
//
// A certificate that is renewed by machine, as those of 90 and of 47 days are,
// gets its successor when a third of its life is left: before that there is
// nothing to report.
func level(days []int, now, ends time.Time, lifetime time.Duration) int {
	left := ends.Sub(now)
	if left <= 0 {
		return 0
	}
	best := quiet
	for _, d := range days {
		span := time.Duration(d) * day
		if lifetime >= 40*day && lifetime <= 100*day && 3*span >= lifetime {
			continue
		}
		if left <= span && d < best {
			best = d
		}
	}
	return best
}

// date is how an end is written in a sentence.
func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// sortFindings has a stable order for what is reported together.
func sortFindings(list []finding) {
	slices.SortStableFunc(list, func(a, b finding) int { return strings.Compare(a.key, b.key) })
}

// mine reports whether this node may judge of an alert: of listeners their own
// node alone knows.
func (w *Watcher) mine(a *store.Alert) bool {
	return a.Kind != KindListener || strings.HasPrefix(a.Key, w.listenerKey(""))
}

func (w *Watcher) listenerKey(address string) string {
	return KindListener + ":" + w.opt.Node + ":" + address
}
