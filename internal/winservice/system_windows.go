package winservice

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"
)

// event is the number of every event: eventcreate.exe, which has the texts, knows 1 to 1000.
const event = 1

// System returns the service manager of Windows.
func System() (Manager, error) { return system{}, nil }

type system struct{}

// with calls f with the manager, and with the service: nil where there is none.
func with(f func(m *mgr.Mgr, s *mgr.Service) error) error {
	m, err := mgr.Connect()
	if err != nil {
		return plain(err)
	}
	defer m.Disconnect()
	s, err := m.OpenService(Name)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return plain(f(m, nil))
	}
	if err != nil {
		return plain(err)
	}
	defer s.Close()
	return plain(f(m, s))
}

func plain(err error) error {
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return ErrDenied
	}
	return err
}

// existing is with for a service that must be there.
func existing(f func(s *mgr.Service) error) error {
	return with(func(_ *mgr.Mgr, s *mgr.Service) error {
		if s == nil {
			return ErrNotInstalled
		}
		return f(s)
	})
}

// Install implements Manager. What is half done is taken back.
func (system) Install(spec Spec) error {
	return with(func(m *mgr.Mgr, s *mgr.Service) (err error) {
		if s != nil {
			return ErrInstalled
		}
		s, err = m.CreateService(Name, spec.Program, mgr.Config{StartType: mgr.StartAutomatic, DisplayName: Name,
			Description: spec.Description, ServiceStartName: spec.Account}, spec.Args...)
		if err != nil {
			return err
		}
		defer s.Close()
		defer func() {
			if err != nil {
				err = errors.Join(err, s.Delete())
			}
		}()
		again := func(after time.Duration) mgr.RecoveryAction {
			return mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: after}
		}
		err = s.SetRecoveryActions([]mgr.RecoveryAction{again(5 * time.Second), again(30 * time.Second), again(time.Minute)}, 24*60*60)
		if err != nil {
			return err
		}
		if err = s.SetRecoveryActionsOnNonCrashFailures(true); err != nil {
			return err
		}
		_ = eventlog.Remove(Name) // left by one that was removed by other means; mostly there is none
		return eventlog.InstallAsEventCreate(Name, eventlog.Error|eventlog.Warning|eventlog.Info)
	})
}

// Start implements Manager.
func (system) Start() error { return existing(func(s *mgr.Service) error { return s.Start() }) }

// Stop implements Manager.
func (system) Stop() error {
	return existing(func(s *mgr.Service) error {
		_, err := s.Control(svc.Stop)
		if errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) { // it ended meanwhile
			err = nil
		}
		return err
	})
}

// Remove implements Manager.
func (system) Remove() error {
	err := existing(func(s *mgr.Service) error { return s.Delete() })
	if err == nil {
		_ = eventlog.Remove(Name) // there may be none
	}
	return err
}

// State implements Manager.
func (system) State() (state State, err error) {
	err = with(func(_ *mgr.Mgr, s *mgr.Service) error {
		if s == nil {
			return nil
		}
		status, err := s.Query()
		state = stateOf(status.State)
		return err
	})
	return state, err
}

func stateOf(s svc.State) State {
	switch s {
	case svc.Running:
		return Running
	case svc.StartPending:
		return Starting
	case svc.StopPending:
		return Stopping
	}
	return Stopped
}

// Inside reports whether this process is the service.
func Inside() bool {
	inside, err := svc.IsWindowsService()
	return err == nil && inside
}

// Main runs the gateway inside the service and returns the exit code.
func Main(serve Gateway) int {
	log, err := eventlog.Open(Name)
	if err != nil {
		return 1
	}
	defer log.Close()
	h := &handler{serve: serve, log: eventWriter{func(s importance, text string) error {
		if s == Error {
			return log.Error(event, text)
		}
		return log.Warning(event, text)
	}}}
	if err := svc.Run(Name, h); err != nil {
		_ = log.Error(event, err.Error()) // there is nowhere else to say it
		return 1
	}
	return h.code
}

// A handler is called by Windows.
type handler struct {
	serve Gateway
	log   eventWriter
	code  int
}

// Execute implements svc.Handler. An exit code other than 0 has Windows start the service
// again.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, states chan<- svc.Status) (bool, uint32) {
	r := &reporter{states: states}
	stop, done := make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		for {
			select {
			case c := <-requests:
				switch c.Cmd {
				case svc.Interrogate:
					r.again()
				case svc.Stop, svc.Shutdown:
					once.Do(func() { close(stop) })
				}
			case <-done:
				return
			}
		}
	}()
	h.code = run(context.Background(), stop, r, h.log, h.serve)
	close(done)
	return h.code != 0, uint32(h.code)
}

// A reporter tells Windows. Safe for concurrent use.
type reporter struct {
	mu     sync.Mutex
	states chan<- svc.Status
	last   svc.Status
}

// Report implements stateReporter.
func (r *reporter) Report(s State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch s {
	case Starting:
		r.last = svc.Status{State: svc.StartPending, WaitHint: 60_000}
	case Running:
		r.last = svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	case Stopping:
		r.last = svc.Status{State: svc.StopPending, WaitHint: 40_000}
	}
	r.states <- r.last
}

// again tells the last state once more.
func (r *reporter) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states <- r.last
}
