package api

import (
	"net"
	"testing"
)

// addressed gives connections that claim an address each.
type addressed struct {
	net.Listener
	from []string
	next int
}

type claimed struct {
	net.Conn
	addr net.Addr
}

func (c claimed) RemoteAddr() net.Addr { return c.addr }
func (c claimed) Close() error         { return nil }

func (l *addressed) Accept() (net.Conn, error) {
	if l.next == len(l.from) {
		return nil, net.ErrClosed
	}
	a, err := net.ResolveTCPAddr("tcp", l.from[l.next])
	l.next++
	return claimed{addr: a}, err
}

func TestNoOneTakesAllConnections(t *testing.T) {
	t.Parallel()
	l := newConnLimiter(&addressed{from: []string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.2:1", "127.0.0.1:1", "127.0.0.1:2",
		"127.0.0.1:3", "192.0.2.1:4"}}, 2)
	var got []net.Conn
	for range 6 { // the third of the first address is refused
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	if got[2].RemoteAddr().String() != "192.0.2.2:1" {
		t.Errorf("third is %s", got[2].RemoteAddr())
	}
	for range 2 { // closing twice counts once
		if err := got[0].Close(); err != nil {
			t.Error(err)
		}
	}
	if c, err := l.Accept(); err != nil || c.RemoteAddr().String() != "192.0.2.1:4" {
		t.Errorf("%v %v", c, err)
	}
	if n := l.n["192.0.2.1"]; len(l.n) != 2 || n != 2 {
		t.Errorf("%v", l.n)
	}
}
