package terminal

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	patience = time.Second            // what ends within it shows nothing
	pace     = 100 * time.Millisecond // between two states of the line
)

// Progress is one line on a terminal that says how far a long command is. It comes
// after a second, and is gone before anything else is written there. Nil, where
// there is no terminal, does nothing. Safe for concurrent use.
type Progress struct {
	to    *os.File
	lang  string
	after time.Duration

	mu    sync.Mutex
	text  string
	begun time.Time
	drawn time.Time
	shown int // columns on the line
	due   *time.Timer
}

// NewProgress returns a line on the terminal that w is, in a language, nil where it is
// none. It makes room for what is written to w and to others, which are made by NewWriter.
func NewProgress(lang string, w io.Writer, others ...io.Writer) *Progress {
	to := file(w)
	if to == nil {
		return nil
	}
	p := &Progress{to: to, lang: lang, after: patience}
	for _, other := range append(others, w) {
		if other, ok := other.(*writer); ok && file(other) != nil {
			other.progress = p
		}
	}
	return p
}

// Show has the line say text, from a second after the first one on.
func (p *Progress) Show(text string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.text = text
	switch {
	case p.begun.IsZero():
		p.begun = now
		p.due = time.AfterFunc(p.after, p.draw)
	case now.Sub(p.begun) >= p.after && now.Sub(p.drawn) >= pace:
		p.drawLine(now)
	}
}

func (p *Progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun.IsZero() {
		p.drawLine(time.Now())
	}
}

func (p *Progress) drawLine(now time.Time) {
	text := shortened(Line(p.text), screenWidth(p.to)-1) // the last column would begin another line
	n := Columns(text)
	p.write("\r" + text + strings.Repeat(" ", max(0, p.shown-n)))
	p.shown, p.drawn = n, now
}

// write does not report errors: a terminal that is gone is noticed by what the command writes.
func (p *Progress) write(s string) { _, _ = p.to.WriteString(s) }

// Clear takes the line away; the next Show begins again.
func (p *Progress) Clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.due != nil {
		p.due.Stop()
	}
	if p.shown > 0 {
		p.write("\r" + strings.Repeat(" ", p.shown) + "\r")
	}
	p.shown, p.begun = 0, time.Time{}
}

type progressKey struct{}

// WithProgress returns a context in which Show shows p.
func WithProgress(ctx context.Context, p *Progress) context.Context {
	return context.WithValue(ctx, progressKey{}, p)
}

// Show has the progress line of a command, if it has one, say a text.
func Show(ctx context.Context, text interface{ In(lang string) string }) {
	if p, _ := ctx.Value(progressKey{}).(*Progress); p != nil {
		p.Show(text.In(p.lang))
	}
}
