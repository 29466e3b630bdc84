package retirement

import (
	"cmp"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A ProgramFinding is whether a program that submits here will still send.
type ProgramFinding struct {
	store.Program
	Verdict Verdict
	Date    time.Time
	Route   string // name of the connection that its last message was given to; empty: it was removed
	Reason  mime.Text
	Steps   []mime.Text
}

// OfPrograms answers for each program by the connection that its last message
// was given to: the worst first, then who submitted last.
func OfPrograms(list []store.Program, connections []Finding) []ProgramFinding {
	byID := make(map[string]*Finding, len(connections))
	for i := range connections {
		if id := connections[i].Connection; id != "" {
			byID[id] = &connections[i]
		}
	}
	out := make([]ProgramFinding, 0, len(list))
	for _, p := range list {
		f := ProgramFinding{Program: p}
		if c := byID[p.Connection]; c != nil {
			f.Verdict, f.Date, f.Route, f.Reason, f.Steps = c.Verdict, c.Date, c.Name, c.Reason, c.Steps
		} else {
			f.Verdict = Check
			f.Reason = mime.NewText("retirement.connection_removed",
				"the connection of its last message was removed: its next one shows where it goes")
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b ProgramFinding) int {
		return cmp.Or(cmp.Compare(severity(a.Verdict), severity(b.Verdict)), b.LastAt.Compare(a.LastAt))
	})
	return out
}

// Moved is when a program last submitted here as the sender of settings from a
// file; zero: it never did, so that it still goes to its provider by itself.
func (s *Settings) Moved(programs []store.Program) (last time.Time) {
	for _, a := range []string{s.From, s.Login} {
		box, err := mime.ParseMailbox(a)
		if err != nil {
			continue // none, or a login that is no address
		}
		for i := range programs {
			from, err := mime.ParseMailbox(programs[i].From)
			if err == nil && from.Folded() == box.Folded() && programs[i].LastAt.After(last) {
				last = programs[i].LastAt
			}
		}
	}
	return last
}
