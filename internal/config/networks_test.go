package config

import (
	"fmt"
	"slices"
	"testing"
)

func TestEveryone(t *testing.T) {
	t.Parallel()
	thirds := []string{"128.0.0.0/2", "192.0.0.0/3"}
	var pieces []string
	for i := range 256 {
		if i != 10 {
			pieces = append(pieces, fmt.Sprintf("%d.0.0.0/8", i))
		}
	}
	for _, c := range []struct {
		list []string
		want bool
	}{
		{nil, false},
		{[]string{"0.0.0.0/0"}, true},
		{[]string{"::/0"}, true},
		{[]string{"0.0.0.0/1", "128.0.0.0/1"}, true},
		{[]string{"0.0.0.0/1"}, true},
		{[]string{"128.0.0.0/1"}, true},
		{append([]string{"0.0.0.0/2", "64.0.0.0/3"}, thirds...), true},
		{pieces, true},
		{[]string{"::/1", "8000::/1"}, true},
		{[]string{"::/1"}, true},
		{[]string{"8000::/1"}, true},
		{[]string{"2000::/3"}, true},
		{[]string{"2000::/4", "3000::/4"}, true},
		{[]string{"2000::/4"}, true},
		{[]string{"2a00::/12"}, true},
		{[]string{"2a00::/16"}, false},
		{[]string{"10.0.0.0/7"}, true},
		{[]string{"::ffff:0.0.0.0/96"}, true},
		{[]string{"::ffff:0.0.0.0/97", "::ffff:128.0.0.0/97"}, true},
		{[]string{"::ffff:0:0/90"}, true},
		{[]string{"64:ff9b::/96"}, true},
		{[]string{"2002::/16"}, true},
		{[]string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10", "127.0.0.0/8", "::1"}, false},
		{[]string{"192.168.1.0/24", "192.168.1.0/24", "192.168.1.7"}, false},
		{[]string{"::ffff:192.168.1.0/120"}, false},
	} {
		p, err := ParsePrefixes(c.list)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(p)
		if got := Everyone(p); got != c.want {
			t.Errorf("%.80v: %v", c.list, got)
		}
	}
}

func TestParsePrefixes(t *testing.T) {
	t.Parallel()
	got, err := ParsePrefixes([]string{"192.168.1.7/24", "10.1.2.3", "::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "fd00::1"})
	if fmt.Sprint(got) != "[192.168.1.0/24 10.1.2.3/32 10.0.0.1/32 10.0.0.0/8 fd00::1/128]" || err != nil {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"here", "", "10.0.0.0/33", "fe80::1%eth0", "fe80::%eth0/64", "10.0.0/8"} {
		if got, err := ParsePrefixes([]string{bad}); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}
