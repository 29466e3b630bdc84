package app

import (
	"context"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/smtpd"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/vault"
)

// slowHashes is how many secrets are checked at once, at 19 MiB each.
const slowHashes = 2

// entryPoints opens everything that messages come in by.
func (s *server) entryPoints() ([]entryPoint, Addresses, error) {
	s.uploads = s.uploadBudget()
	var out []entryPoint
	var at Addresses
	smtp, err := s.smtpServer()
	if err != nil {
		return nil, at, err
	}
	if smtp != nil {
		out, at.SMTP = append(out, smtp), smtp.Addresses()
		s.own.set(at.SMTP)
		s.shown.add(smtp.Certificates)
	}
	http, err := s.httpListener(at.SMTP)
	if err != nil {
		return nil, at, err
	}
	if http != nil {
		out, at.HTTP, at.Socket = append(out, http), http.Addr(), http.socket
		s.shown.add(http.certificates)
	}
	folders, err := s.pickupFolders()
	if err != nil {
		return nil, at, err
	}
	out = append(out, folders)
	return out, at, nil
}

// uploadBudget shares the disk out among messages on their way in.
func (s *server) uploadBudget() *spool.Budget {
	l := &s.conf.Limits
	return spool.NewBudget(spool.BudgetOptions{Dir: s.store.SpoolDir(), Reserve: int64(l.SpoolReserve), Total: int64(l.SpoolTotal),
		PerParty: int64(l.SpoolPerClient),
		Least:    3 * s.submit.Limit()}) // a form is there as files and as a message
}

// smtpServer is nil when no listener is configured.
func (s *server) smtpServer() (*smtpd.Server, error) {
	if len(s.conf.SMTP) == 0 {
		return nil, nil
	}
	return smtpd.New(smtpd.Options{Hostname: s.conf.Hostname, Postmaster: s.conf.PostmasterMailbox, Listeners: s.conf.SMTP, Submit: s.submit,
		Clients: s.clients, Programs: s.programs, Counts: &s.smtp,
		CheckSecret: s.secretChecker(vault.NewHasher(slowHashes)), Budget: s.uploads, SpoolDir: s.store.SpoolDir(), DataDir: s.conf.Data,
		MaxSize: int64(s.conf.Limits.MaxSize), Log: s.log})
}

// secretChecker compares a client's secret with its hash. No hash takes as long
// as a wrong secret.
func (s *server) secretChecker(h *vault.Hasher) func(hash, secret string) bool {
	return func(hash, secret string) bool {
		if hash == "" {
			_ = h.Waste(context.Background(), adapters.Secret(secret)) // smtpd bounds those that wait
			return false
		}
		ok, err := h.Verify(context.Background(), hash, adapters.Secret(secret))
		if err != nil {
			s.log.Error("a client cannot log in", "err", err)
		}
		return ok
	}
}
