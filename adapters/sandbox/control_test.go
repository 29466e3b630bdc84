package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
)

func askControl(t *testing.T, s *Sandbox, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, s.ControlURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

func TestControlDeliveries(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	c := newGraphClient(t, s)
	large := sample("") + strings.Repeat("x\r\n", 40_000)
	for _, m := range []struct{ box, msg string }{{box, sample("Bcc: c@d.example\r\n")}, {"b@contoso.example", sample("")}, {box, large}} {
		if r := c.sendMIME(m.box, m.msg); r.status != 202 {
			t.Fatalf("%+v", r)
		}
	}
	for query, want := range map[string]string{
		"": "[1 2 3]", "?service=graph": "[1 2 3]", "?service=smtp": "[]", "?mailbox=ERP@contoso.example": "[1 3]",
		"?since=1": "[2 3]", "?since=1&limit=1": "[2]", "?since=9": "[]", "?since=-1": "[1 2 3]",
	} {
		status, body := askControl(t, s, "GET", "/deliveries"+query, "")
		var list []Delivery
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 {
			t.Fatalf("%d %v %s", status, err, body)
		}
		seqs := []int{}
		for _, d := range list {
			seqs = append(seqs, d.Seq)
		}
		if fmt.Sprint(seqs) != want {
			t.Errorf("%s: %v, want %s", query, seqs, want)
		}
	}
	for path, want := range map[string]string{
		"1/raw": sample("Bcc: c@d.example\r\n"), "1/raw?view=received": sample("Bcc: c@d.example\r\n"), "1/raw?view=shown": sample(""),
		"3/raw": large, "3/raw?view=shown": large,
	} {
		if status, body := askControl(t, s, "GET", "/deliveries/"+path, ""); status != 200 || body != want {
			t.Errorf("%s: %d, %d bytes", path, status, len(body))
		}
	}
	for path, want := range map[string]int{"4/raw": 404, "0/raw": 404, "x/raw": 400, "1/raw?view=x": 400} {
		if status, body := askControl(t, s, "GET", "/deliveries/"+path, ""); status != want || !strings.HasPrefix(body, `{"error":`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := askControl(t, s, "GET", "/deliveries?since=x", ""); status != 400 {
		t.Errorf("%d", status)
	}
	if d := s.DeliveriesSince(2); len(d) != 1 || d[0].Seq != 3 {
		t.Errorf("%+v", d)
	}
}

func TestControlState(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	if status, body := askControl(t, s, "POST", "/faults",
		`{"service":"graph","op":"sendMail","status":503,"retry_after":2000000000}`); status != 201 {
		t.Errorf("%d %s", status, body)
	}
	if r := newGraphClient(t, s).sendMIME(box, sample("")); r.status != 503 || r.header.Get("Retry-After") != "2" {
		t.Errorf("%+v", r)
	}
	for body, want := range map[string]int{`{"service":"graph","tiems":1}`: 400, `{}`: 400, `x`: 400} {
		if status, answer := askControl(t, s, "POST", "/faults", body); status != want {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	if _, body := askControl(t, s, "GET", "/faults", ""); !strings.Contains(body, `"sendMail"`) {
		t.Error(body)
	}
	if status, _ := askControl(t, s, "DELETE", "/faults", ""); status != 204 {
		t.Errorf("%d", status)
	}
	if _, body := askControl(t, s, "GET", "/faults", ""); body != "[]\n" {
		t.Error(body)
	}
	if _, body := askControl(t, s, "GET", "/counters", ""); !strings.Contains(body, `"graph.sendMail":1`) ||
		!strings.Contains(body, `"max_in_flight":{"graph":1}`) {
		t.Error(body)
	}
	if status, body := askControl(t, s, "PATCH", "/switches", `{"graph_from":"deny"}`); status != 200 ||
		!strings.Contains(body, `"graph_from":"deny"`) || !strings.Contains(body, `"graph_body_limit":4194304`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := askControl(t, s, "PATCH", "/switches", `{"graph_from":"keep","nothing":1}`); status != 400 ||
		s.core.Switches().GraphFrom != "deny" {
		t.Errorf("%d, %s", status, s.core.Switches().GraphFrom)
	}
	if status, _ := askControl(t, s, "POST", "/reset", ""); status != 204 || len(s.Counters()) != 0 ||
		s.core.Switches().GraphFrom != "keep" || s.MaxInFlight("graph") != 0 {
		t.Errorf("%d %v", status, s.Counters())
	}
	if _, body := askControl(t, s, "GET", "/ca.pem", ""); !strings.HasPrefix(body, "-----BEGIN CERTIFICATE-----") {
		t.Error(body)
	}
	if _, body := askControl(t, s, "GET", "/", ""); !strings.Contains(body, "/connections") {
		t.Error(body)
	}
	if status, _ := askControl(t, s, "GET", "/nothing", ""); status != 404 {
		t.Errorf("%d", status)
	}
}

// The listed connections can be read back, whole.
func TestControlConnections(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	_, body := askControl(t, s, "GET", "/connections?from=a@b.example", "")
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	seen := map[adapters.Provider]int{}
	for _, raw := range list {
		c, err := all.ParseConnection(raw)
		if err != nil {
			t.Errorf("%v in %s", err, raw)
			continue
		}
		seen[c.Provider]++
		for _, secret := range c.Secrets() {
			if secret.Value.Reveal() == adapters.Redacted {
				t.Errorf("%s of %s is hidden", secret.Path, c.Name)
			}
		}
	}
	if seen[adapters.Graph] != 3 || seen[adapters.Gmail] != 1 || seen[adapters.SMTP] != 3 {
		t.Errorf("%v", seen)
	}
}
