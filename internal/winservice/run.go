package winservice

import (
	"context"
	"io"
	"regexp"
	"strings"
)

// A stateReporter hears what the service does.
type stateReporter interface {
	Report(s State)
}

// A Gateway serves until ctx ends, and calls Ready with its context once everything
// listens; it writes its log to log, a line with each call. It returns the exit code.
type Gateway func(ctx context.Context, log io.Writer) int

type readyKey struct{}

// Ready says that the gateway listens; outside of a service it does nothing.
func Ready(ctx context.Context) {
	if listens, ok := ctx.Value(readyKey{}).(chan<- struct{}); ok {
		select {
		case listens <- struct{}{}:
		default: // it was said
		}
	}
}

// run is the life of the service: until stop is closed or the gateway ends by itself. It
// returns the exit code; the last state is reported by who called.
func run(ctx context.Context, stop <-chan struct{}, to stateReporter, log io.Writer, serve Gateway) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	to.Report(Starting)
	listens, ended := make(chan struct{}, 1), make(chan int, 1)
	go func() { ended <- serve(context.WithValue(ctx, readyKey{}, (chan<- struct{})(listens)), log) }()
	ready := listens
	for {
		select {
		case <-ready:
			ready = nil
			to.Report(Running)
		case <-stop:
			stop, ready = nil, nil // from here on it only ends
			to.Report(Stopping)
			cancel()
		case code := <-ended:
			return code
		}
	}
}

// An importance is that of an event.
type importance int

// The kinds of importance.
const (
	Quiet importance = iota // no event
	Warning
	Error
)

// level is where a line of either format of the log has it; what a message contains comes
// after.
var level = regexp.MustCompile(`^(?:time=\S+ level=|\{"time":"[^"]*","level":")([A-Z]+)`)

// severity of a line of the log; one that is no line of the log says why the program ends.
func severity(line string) importance {
	found := level.FindStringSubmatch(line)
	switch {
	case strings.TrimSpace(line) == "":
		return Quiet
	case found == nil, found[1] == "ERROR":
		return Error
	case found[1] == "WARN":
		return Warning
	}
	return Quiet
}

// maxEvent bounds an event: Windows takes 31,839 characters.
const maxEvent = 30_000

// An eventWriter makes events of the lines of a log.
type eventWriter struct {
	report func(s importance, text string) error
}

// Write implements io.Writer.
func (w eventWriter) Write(p []byte) (int, error) {
	line := strings.ToValidUTF8(strings.ReplaceAll(string(p), "\x00", " "), "?")
	if len(line) > maxEvent {
		line = strings.ToValidUTF8(line[:maxEvent], "")
	}
	if s := severity(line); s != Quiet {
		if err := w.report(s, strings.TrimSpace(line)); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
