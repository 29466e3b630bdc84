package doctor_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/doctor"
)

// Listeners that take a call and say nothing are called side by side: all of them keep
// the doctor for no longer than one.
func TestSilentListeners(t *testing.T) {
	t.Parallel()
	const n = 5
	in := doctor.Installation{Unasked: fmt.Errorf("asking: %w", context.DeadlineExceeded)}
	var called, over sync.WaitGroup
	called.Add(n)
	all := make(chan struct{})
	go func() { called.Wait(); close(all) }()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		in.Listeners = append(in.Listeners, doctor.Listener{Kind: doctor.SMTP, Address: l.Addr().String(), TLS: "implicit"})
		over.Go(func() {
			conn, err := l.Accept()
			if err != nil {
				t.Error(err)
				called.Done()
				return
			}
			defer conn.Close()
			called.Done()
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				for b := make([]byte, 1024); err == nil; {
					_, err = conn.Read(b)
				}
			}()
			select {
			case <-all:
			case <-gone:
				t.Error("the doctor gave up before it had called the next")
			case <-time.After(time.Minute):
				t.Error("the others are not called")
			}
		})
	}
	c := in.CheckListeners(t.Context())
	over.Wait()
	sees(t, c, "listener", doctor.Bad, "does not answer", "non risponde")
	for _, f := range c.Findings {
		if f.Status == doctor.NotDone && f.Hint.In("it") != "vedere nel registro del server che cosa lo tiene occupato, e rieseguire" {
			t.Errorf("the hint for a server that is slow: %s", f.Hint)
		}
	}
}
