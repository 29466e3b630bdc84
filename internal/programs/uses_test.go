package programs

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/mime"
)

// The last use and the last refusal are kept, and written at most once a minute.
func TestUses(t *testing.T) {
	t.Parallel()
	st := &fakeStore{fail: errors.New("down")}
	r := New(st, slog.New(slog.DiscardHandler))
	now := at(0)
	r.now = func() time.Time { return now }
	ip := netip.MustParseAddr("192.0.2.1")
	r.Used("c", "smtp", ip, at(5))
	r.Used("c", "api", netip.Addr{}, at(3)) // told late
	r.Refused(Refusal{Client: "c", Key: "k", EntryPoint: "api", Address: ip, Code: "key_expired", Reason: WrongSecret(), At: at(4)})
	if r.flushUses(t.Context(), false) == nil {
		t.Error("a failure is not told")
	}
	st.fail = nil
	if err := r.flushUses(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	u := st.uses["client/c"]
	if !u.UsedAt.Equal(at(5)) || u.UsedFrom != "192.0.2.1" || u.UsedBy != "smtp" || !u.RefusedAt.Equal(at(4)) || u.Code != "key_expired" {
		t.Errorf("%+v", u)
	}
	if k := st.uses["key/k"]; !k.UsedAt.IsZero() || k.Reason.String() != "the secret was wrong" {
		t.Errorf("%+v", k)
	}
	calls := st.useCalls
	r.Used("c", "smtp", ip, at(9))
	now = at(30)
	if err := r.flushUses(t.Context(), false); err != nil || st.useCalls != calls {
		t.Errorf("written twice within a minute: %v", err)
	}
	now = at(61)
	if err := r.flushUses(t.Context(), false); err != nil || !st.uses["client/c"].UsedAt.Equal(at(9)) {
		t.Errorf("%v, %+v", err, st.uses["client/c"])
	}
	// Neither long texts of strangers nor ids without end fill the memory.
	r.Refused(Refusal{Client: "c", Code: "long", Reason: mime.Text{English: strings.Repeat("x", 9000)}, At: at(70)})
	for i := range 2 * mostPending {
		r.Used(fmt.Sprint("x", i), "smtp", ip, at(70))
	}
	if err := r.Flush(t.Context()); err != nil || len(st.uses) > mostPending+2 || !st.uses["client/c"].Reason.IsZero() {
		t.Errorf("%v, %d, %+v", err, len(st.uses), st.uses["client/c"])
	}
	var none *Recorder
	none.Used("c", "smtp", ip, now)
	none.Refused(Refusal{Client: "c"})
}
