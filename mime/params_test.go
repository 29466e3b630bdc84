package mime

import (
	"maps"
	"testing"
)

func TestParseParams(t *testing.T) {
	t.Parallel()
	type params map[string]string
	for _, c := range []struct {
		in, first string
		params    params
	}{
		{"text/plain", "text/plain", nil},
		{" Text/Plain ; charset=utf-8;", "text/plain", params{"charset": "utf-8"}},
		{"application/pdf name=a.pdf", "application/pdf", params{"name": "a.pdf"}},
		{"application/pdf name=\"a;b.pdf\"; x=y", "application/pdf", params{"name": "a;b.pdf", "x": "y"}},
		{"application/pdf, name=a.pdf", "application/pdf", params{"name": "a.pdf"}},
		{"attachment filename=a.pdf", "attachment", params{"filename": "a.pdf"}},
		{"text/plain (a (nested) comment) charset=utf-8", "text/plain", params{"charset": "utf-8"}},
		{"text/plain(x); charset=utf-8", "text/plain", params{"charset": "utf-8"}},
		{"text/plain (no end; charset=utf-8", "text/plain", params{"charset": "utf-8"}},
		{"text/plain charset", "text/plain", params{}},
		{`multipart/signed; protocol="a/b" boundary="x"`, "multipart/signed", params{"protocol": "a/b", "boundary": "x"}},
		{`a/b; name="x" trailing junk; y=z`, "a/b", params{"name": "x", "y": "z"}},
		{`attachment; filename="C:\temp\new\fattura.pdf"`, "attachment", params{"filename": `C:\temp\new\fattura.pdf`}},
		{`attachment; filename="C:\\temp\\fattura \"1\".pdf"`, "attachment", params{"filename": `C:\temp\fattura "1".pdf`}},
		{`attachment; filename=Fattura n. 1.pdf; x=y`, "attachment", params{"filename": "Fattura n. 1.pdf", "x": "y"}},
		{`attachment; filename="no end; x=y`, "attachment", params{"filename": "no end; x=y"}},
		{`attachment; filename*=utf-8''Perch%C3%A9.pdf; filename=Perche.pdf`, "attachment", params{"filename": "Perché.pdf"}},
		{`attachment; filename*0="a b"; filename*1*=%20c.pdf`, "attachment", params{"filename": "a b c.pdf"}},
		{";;=x;a=b", "", params{"a": "b"}},
		{"", "", nil},
	} {
		first, got := parseParams(c.in)
		if first != c.first || !maps.Equal(got, c.params) {
			t.Errorf("%q: %q %q, want %q %q", c.in, first, got, c.first, c.params)
		}
	}
}
