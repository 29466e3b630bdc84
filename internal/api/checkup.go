package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/view"
)

// A checkupService looks at the installation.
type checkupService struct {
	installation *doctor.Installation
	running      sync.Mutex          // one at a time
	calling      *semaphore.Weighted // of those that call the listeners alone: the next waits, as each takes seconds
}

func (s *checkupService) routes(rt *router) {
	register(rt, op("doctor", http.MethodGet, "/v1/doctor", "server", ScopeAdmin, "Look at the installation",
		"Clock, disk, fsync, listeners, certificates, DNS, the servers that connections need, source addresses, store, secrets, mailboxes, "+
			"queue and configuration. It takes seconds; one runs at a time. With `check` the listeners alone are called."), s.check)
}

func (s *checkupService) check(ctx context.Context, in *struct {
	Language string `header:"Accept-Language"`
	Check    string `query:"check" enum:"listener" doc:"Only this check"`
}) (*bodyOf[view.Checkup], error) {
	if in.Check != "" {
		if err := s.calling.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer s.calling.Release(1)
		return &bodyOf[view.Checkup]{view.OfCheckup(s.installation.CheckListeners(ctx), language(in.Language))}, nil
	}
	if !s.running.TryLock() {
		f := fail(http.StatusTooManyRequests, "too_many_tests", "",
			text("api.doctor_running", "the installation is being looked at already"),
			text("api.doctor_running_hint", "wait until that has ended"))
		f.retryAfter = 10 * time.Second
		return nil, f
	}
	defer s.running.Unlock()
	return &bodyOf[view.Checkup]{view.OfCheckup(s.installation.Check(ctx, nil), language(in.Language))}, nil
}
