package fallback

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadReply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, code, text string
		garbage        bool
	}{
		{in: "250 2.1.0 ok\r\n", code: "250 2.1.0", text: "ok"},
		{in: "250\r\n", code: "250"},
		{in: "250 ok\n", code: "250", text: "ok"},
		{in: "550-5.4.5 Daily limit\r\n550-5.4.5 more\r\n550 5.4.5  end\r\n", code: "550 5.4.5", text: "Daily limit more end"},
		{in: "550 4.1.1 contradicts itself\r\n", code: "550", text: "4.1.1 contradicts itself"},
		{in: "550 5.1.1000 not a code\r\n", code: "550", text: "5.1.1000 not a code"},
		{in: "550 5.1.1: colon\r\n", code: "550 5.1.1", text: "colon"},
		{in: "250-a\r\n550 b\r\n", code: "550", text: "a b"},
		{in: "99 x\r\n", garbage: true}, {in: "650 x\r\n", garbage: true}, {in: "2x0 x\r\n", garbage: true}, {in: "\r\n", garbage: true},
		{in: "250xok\r\n", garbage: true}, {in: "<html>\r\n", garbage: true}, {in: "\x16\x03\x01", garbage: true},
		{in: strings.Repeat("250-x\r\n", maxReplyLines+1) + "250 x\r\n", garbage: true},
		{in: "250 " + strings.Repeat("x", maxReplyLine) + "\r\n", garbage: true},
		{in: strings.Repeat("250-"+strings.Repeat("x", 1000)+"\r\n", 100) + "250 x\r\n", garbage: true},
	} {
		r, err := readReply(bufio.NewReader(strings.NewReader(c.in)))
		var g *errGarbage
		if errors.As(err, &g) != c.garbage || !c.garbage && (err != nil || r.code() != c.code || r.text() != c.text) {
			t.Errorf("%.60q: %q %q %v", c.in, r.code(), r.text(), err)
		}
	}
	if _, err := readReply(bufio.NewReader(strings.NewReader("250-half\r\n250"))); !errors.Is(err, io.EOF) {
		t.Errorf("half a reply gave %v", err)
	}
}

func FuzzReadReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-a\r\n250 b\r\n", "550 5.1.1 x\n", "\x15\x03", "250-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r, err := readReply(bufio.NewReader(strings.NewReader(in)))
		if err != nil {
			return
		}
		if r.Code < 200 || r.Code > 599 || len(r.Lines) == 0 || len(r.Lines) > maxReplyLines {
			t.Fatalf("%q gave %+v", in, r)
		}
		for _, at := range []stage{atGreeting, atAuth, atRcpt, atDot} {
			if m := classify(input{reply: r, at: at}); r.Code >= 400 &&
				(m.class == "" || m.class == "accepted" || m.message.String() == "" || m.message.In("it") == "") {
				t.Fatalf("%q at %d: %+v", in, at, m)
			}
		}
		parseEHLO(r)
		queueID(r.text())
		if s := (&censor{}).show(r.text()); len(s) > maxShown+3 || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Fatalf("shown: %q", s)
		}
	})
}

func TestQueueID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Ok: queued as 4XyZ12":                          "4XyZ12",
		"OK id=1rABCD-000123-4E":                        "1rABCD-000123-4E",
		"4A1b2c3 Message accepted for delivery":         "4A1b2c3",
		"OK  1700000000 abc-20020a05.123 - gsmtp":       "abc-20020a05.123",
		"OK <AM0PR@AM0.example> [Hostname=AM0.example]": "AM0PR@AM0.example",
		"Ok 0100018bd1f0-aaaa-bbbb":                     "0100018bd1f0-aaaa-bbbb",
		"Queued mail for delivery":                      "",
		"thank you":                                     "",
		"queued as \x1b[31m":                            "",
		"queued as " + strings.Repeat("x", 200):         "",
	} {
		if got := queueID(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	r, err := readReply(bufio.NewReader(strings.NewReader(
		"250-mx.example SIZE PIPELINING\r\n250-size 1000\r\n250-Pipelining\r\n" +
			"250-AUTH PLAIN login\r\n250-AUTH=LOGIN XOAUTH2\r\n250 \r\n")))
	if err != nil {
		t.Fatal(err)
	}
	c := parseEHLO(r)
	if c.size() != 1000 || !c.has("PIPELINING") || c.has("MX.EXAMPLE") || strings.Join(c.auth, " ") != "PLAIN LOGIN XOAUTH2" {
		t.Errorf("%+v", c)
	}
	for in, want := range map[string]int64{"": 0, "0": 0, "x": 0, "-5": 0, "99999999999999999999": 0, "35882577": 35882577} {
		if got := (capabilities{ext: map[string]string{"SIZE": in}}).size(); got != want {
			t.Errorf("SIZE %q: %d", in, got)
		}
	}
}

func TestCensor(t *testing.T) {
	t.Parallel()
	c := &censor{}
	c.hide("hunter2!")
	for in, want := range map[string]string{
		"plain words":                                      "plain words",
		"tabs\tand\x00controls\x1b[31m":                    "tabs and controls [31m",
		"per\u00e8":                                        "per?",
		`say "it"`:                                         "say 'it'",
		"the password hunter2! is wrong":                   "",
		"AHVzZXIAaHVudGVyMiE= aHVudGVyMiE=":                "",
		strings.Repeat("A", 64):                            "",
		strings.Repeat("word ", 100):                       strings.TrimSpace(strings.Repeat("word ", 48)) + "...",
		"Hostname=AM0PR04CA0123.eurprd04.prod.outlook.com": "Hostname=AM0PR04CA0123.eurprd04.prod.outlook.com",
	} {
		if got := c.show(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
