package graph

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// rateLimits are the limits over time, both off by default.
type rateLimits struct {
	mu      sync.Mutex
	sends   map[string][]time.Time
	uploads map[string][]uploaded
}

type uploaded struct {
	at    time.Time
	bytes int64
}

func (l *rateLimits) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sends, l.uploads = nil, nil
}

// overLimits refuses what is over GraphPerMinute or GraphUploadQuota.
func (c *call) overLimits() *apiError {
	throttled := func(text string) *apiError {
		core.SetRetryAfter(c.w, 10*time.Second)
		return &apiError{http.StatusTooManyRequests, "ApplicationThrottled", text}
	}
	l := &c.g.limits
	if c.sends() && !l.send(c.mailbox, c.g.now(), c.sw.GraphPerMinute) {
		return throttled("Application is over its MailboxMessages limit.")
	}
	if !l.upload(c.mailbox, c.g.now(), max(c.r.ContentLength, 0), c.sw.GraphUploadQuota) {
		return throttled("Application is over its IncomingBytes limit.") // B7.5
	}
	return nil
}

// sends reports whether the operation hands a message to transport.
func (c *call) sends() bool {
	return slices.Contains([]string{"sendMail", "send", reply, replyAll, forward}, c.op.name)
}

func (l *rateLimits) send(mailbox string, now time.Time, limit int) bool {
	if limit <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sends == nil {
		l.sends = make(map[string][]time.Time)
	}
	recent := slices.DeleteFunc(l.sends[mailbox], func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	// Requests made while throttled keep counting (B7.7), but only so many are kept.
	if len(recent) < 2*limit {
		recent = append(recent, now)
	}
	l.sends[mailbox] = recent
	return len(recent) <= limit
}

func (l *rateLimits) upload(mailbox string, now time.Time, n, limit int64) bool {
	if limit <= 0 || n == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.uploads == nil {
		l.uploads = make(map[string][]uploaded)
	}
	recent := slices.DeleteFunc(l.uploads[mailbox], func(u uploaded) bool { return now.Sub(u.at) >= 5*time.Minute })
	sum := n
	for _, u := range recent {
		sum += u.bytes
	}
	if sum <= limit {
		recent = append(recent, uploaded{now, n})
	}
	l.uploads[mailbox] = recent
	return sum <= limit
}
