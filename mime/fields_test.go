package mime

import (
	"slices"
	"testing"
)

// Fields are decoded whatever their character set is, each in its place.
func TestFields(t *testing.T) {
	t.Parallel()
	m, err := Read(Bytes([]byte("From: erp@contoso.it\r\nX-Nota : =?windows-1252?Q?citt=E0?=\r\n =?utf-8?q?_=C3=A8?=\r\nReceived: a\r\n"+
		"Received: b\r\n\r\nx\r\n")), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for name, value := range m.Fields() {
		got = append(got, name+"="+value)
	}
	if want := []string{"From=erp@contoso.it", "X-Nota=città è", "Received=a", "Received=b"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
