package spool

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Bounds of the space that uploads take, when the options leave them out.
const (
	DefaultReserve = 256 << 20
	step           = 256 << 10       // a share asks for space in pieces
	looked         = 4 << 20         // after so many bytes the free space is looked at again
	lookEvery      = 1 * time.Second // and after so long
)

// BudgetOptions bound the bytes on disk of uploads under way; zero fields take
// the defaults.
type BudgetOptions struct {
	Dir      string // of the spool; the system's temporary folder when empty
	Reserve  int64  // free space that stays: 256 MiB; negative: none
	Total    int64  // of all uploads; half of what is free beyond Reserve at the start
	PerParty int64  // of one client or address; a quarter of Total, at least Least
	Least    int64  // what one upload must be able to have: the largest message twice
	Free     func(dir string) (int64, error)
	Now      func() time.Time
}

// A Budget shares out the disk among uploads under way, so that one client does
// not fill it and the store can still write. Safe for concurrent use.
type Budget struct {
	opt BudgetOptions

	mu     sync.Mutex
	used   int64
	by     map[string]int64
	free   int64 // when it was looked at, less what was given since
	given  int64
	at     time.Time
	failed error
}

// A FullError is why an upload may not go on. Setting names what would allow it.
type FullError struct {
	Setting string // spool_per_client, spool_total or spool_reserve
	Bytes   int64  // its value
}

func (e *FullError) Error() string {
	return fmt.Sprintf("uploads under way may have no more of the disk: [limits] %s is %d bytes", e.Setting, e.Bytes)
}

// NewBudget makes a Budget. A free space that cannot be found bounds nothing.
func NewBudget(o BudgetOptions) *Budget {
	if o.Dir == "" {
		o.Dir = os.TempDir()
	}
	if o.Free == nil {
		o.Free = FreeSpace
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case o.Reserve == 0:
		o.Reserve = DefaultReserve
	case o.Reserve < 0:
		o.Reserve = 0
	}
	b := &Budget{opt: o, by: map[string]int64{}}
	b.look()
	if b.opt.Total <= 0 {
		b.opt.Total = max((b.free-o.Reserve)/2, 4*o.Least, step)
	}
	if b.opt.PerParty <= 0 {
		b.opt.PerParty = max(b.opt.Total/4, o.Least)
	}
	return b
}

// look finds the free space. The lock is held, or no one else has b yet.
func (b *Budget) look() {
	b.free, b.failed = b.opt.Free(b.opt.Dir)
	b.given, b.at = 0, b.opt.Now()
}

// take counts n bytes for a party.
func (b *Budget) take(party string, n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.by[party]+n > b.opt.PerParty:
		return &FullError{"spool_per_client", b.opt.PerParty}
	case b.used+n > b.opt.Total:
		return &FullError{"spool_total", b.opt.Total}
	}
	if b.given+n > looked || b.opt.Now().Sub(b.at) > lookEvery {
		b.look()
	}
	if b.failed == nil && b.free-b.given-n < b.opt.Reserve {
		return &FullError{"spool_reserve", b.opt.Reserve}
	}
	b.used, b.given, b.by[party] = b.used+n, b.given+n, b.by[party]+n
	return nil
}

func (b *Budget) release(party string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.by[party] -= n; b.by[party] <= 0 {
		delete(b.by, party)
	}
}

// Used is how many bytes uploads under way have.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// A share is what one Buffer has of a Budget.
type share struct {
	budget *Budget
	party  string
	have   int64
}

// hold makes the share as large as size bytes of file.
func (s *share) hold(size int64) error {
	if s == nil || size <= s.have {
		return nil
	}
	more := (size - s.have + step - 1) / step * step
	err := s.budget.take(s.party, more)
	var full *FullError
	if errors.As(err, &full) && more > size-s.have { // the last piece may be a smaller one
		more = size - s.have
		err = s.budget.take(s.party, more)
	}
	if err == nil {
		s.have += more
	}
	return err
}

func (s *share) end() {
	if s != nil && s.have > 0 {
		s.budget.release(s.party, s.have)
		s.have = 0
	}
}
