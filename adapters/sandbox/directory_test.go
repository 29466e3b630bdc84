package sandbox

import (
	"bufio"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func decodeJSON(data []byte) map[string]any {
	var doc map[string]any
	_ = json.Unmarshal(data, &doc) // what is no object stays nil, and the test that looks into it fails
	return doc
}

type lineReader struct{ r *bufio.Reader }

func newLineReader(r io.Reader) lineReader { return lineReader{bufio.NewReader(r)} }

func (l lineReader) line(t *testing.T) string {
	t.Helper()
	line, err := l.r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(line, "\r\n")
}

func portText(n int) string { return strconv.Itoa(n) }

// freeRange finds n ports in a row that are free now.
func freeRange(t *testing.T, n int) int {
	t.Helper()
	for first := 20000 + os.Getpid()%10000; first < 60000; first += n {
		free := true
		for p := first; p < first+n && free; p++ {
			ln, err := net.Listen("tcp", "127.0.0.1:"+portText(p))
			if free = err == nil; free {
				_ = ln.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}

// googleForm is a token request for gmailFrom with an audience of the caller's choice.
func googleForm(t *testing.T, accountJSON []byte, audience string, padded bool) string {
	t.Helper()
	account := decodeJSON(accountJSON)
	block, _ := pem.Decode([]byte(account["private_key"].(string)))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	if padded {
		enc = base64.URLEncoding
	}
	now := time.Now().Unix()
	claims, err := json.Marshal(map[string]any{"iss": account["client_email"], "sub": gmailFrom, "aud": audience,
		"scope": "https://mail.google.com/", "iat": now, "exp": now + 3600})
	if err != nil {
		t.Fatal(err)
	}
	signed := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + enc.EncodeToString(claims)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, parsed.(*rsa.PrivateKey), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	const grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	return url.Values{"grant_type": {grant}, "assertion": {signed + "." + enc.EncodeToString(sig)}}.Encode()
}

// The vendor's libraries put its own token endpoint into aud whatever address they ask,
// and some encoders pad: both are taken (contracts C6.13, C6.14).
func TestGoogleAudiencesAndPadding(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	account, err := s.google.ServiceAccountJSON()
	if err != nil {
		t.Fatal(err)
	}
	for aud, want := range map[string]int{
		s.GoogleTokenURL(): 200, "https://oauth2.googleapis.com/token": 200, "https://www.googleapis.com/oauth2/v4/token": 200,
		"https://accounts.google.com/o/oauth2/token": 200, "https://example.com/token": 400, "": 400,
	} {
		for _, padded := range []bool{false, true} {
			status, doc := ask(t, s.HTTPClient(), "POST", s.GoogleTokenURL(), "", "application/x-www-form-urlencoded",
				googleForm(t, account, aud, padded))
			if status != want {
				t.Errorf("%q, padded %v: %d %v", aud, padded, status, doc)
			}
		}
	}
}

// testDirectory lists one mailbox with rights, others that refuse, and a person.
func testDirectory() *Directory {
	return &Directory{
		Mailboxes: []Mailbox{
			{Address: "erp@contoso.example", Name: "Contoso ERP", Aliases: []string{"invoices@contoso.example"},
				SendAs: []string{"Sales@contoso.example"}, SendOnBehalf: []string{"boss@contoso.example"}, Password: "fixed"},
			{Address: "other@contoso.example", Applications: []string{UnconsentedClientID}},
			{Address: "full@fabrikam.example"}, {Address: "gone@contoso.example", State: "disabled"},
		},
		People: []Person{{Address: "anna@contoso.example", Name: "Anna"}},
	}
}

// Where a directory is in force, Graph refuses mailboxes that do not exist and senders
// without the right, in MIME and in JSON.
func TestDirectoryGraph(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true, Directory: testDirectory()})
	bearer := token(t, s, GraphResource)
	for _, tt := range []struct {
		mailbox, from string
		status        int
		code, sender  string
	}{
		{"erp@contoso.example", "erp@contoso.example", 202, "", ""},
		{"erp@contoso.example", "invoices@contoso.example", 202, "", ""},
		{"erp@contoso.example", "sales@contoso.example", 202, "", ""},
		{"erp@contoso.example", "boss@contoso.example", 202, "", "erp@contoso.example"},
		{"erp@contoso.example", "anna@contoso.example", 403, "ErrorSendAsDenied", ""},
		{"erp@contoso.example", "alias@contoso.example", 403, "ErrorSendAsDenied", ""},
		{"invoices@contoso.example", "invoices@contoso.example", 404, "ErrorInvalidUser", ""},
		{"nobody@contoso.example", "nobody@contoso.example", 404, "ErrorInvalidUser", ""},
		{"anna@contoso.example", "anna@contoso.example", 404, "MailboxNotEnabledForRESTAPI", ""},
		{"other@contoso.example", "other@contoso.example", 403, "ErrorAccessDenied", ""},
		{"gone@contoso.example", "gone@contoso.example", 403, "ErrorAccountDisabled", ""},
		{"full@fabrikam.example", "full@fabrikam.example", 202, "", ""},
	} {
		for kind, body := range map[string]string{
			"text/plain": base64.StdEncoding.EncodeToString([]byte("From: " + tt.from + "\r\nTo: a@example.com\r\n\r\nx")),
			"application/json": `{"message":{"subject":"s","from":{"emailAddress":{"address":"` + tt.from +
				`"}},"toRecipients":[{"emailAddress":{"address":"a@example.com"}}]}}`,
		} {
			status, doc := ask(t, s.HTTPClient(), "POST", s.GraphURL()+"/v1.0/users/"+tt.mailbox+"/sendMail", bearer, kind, body)
			e, _ := doc["error"].(map[string]any)
			if code, _ := e["code"].(string); status != tt.status || code != tt.code {
				t.Errorf("%s as %s, %s: %d %v", tt.mailbox, tt.from, kind, status, doc)
				continue
			}
			if tt.status != 202 {
				continue
			}
			all := s.Deliveries()
			rc, err := s.OpenShown(all[len(all)-1])
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(rc)
			if err != nil || strings.Contains(string(text), "Sender: <"+tt.sender+">") != (tt.sender != "") {
				t.Errorf("%s as %s, %s: %v\n%s", tt.mailbox, tt.from, kind, err, text)
			}
			_ = rc.Close()
		}
	}
}

// Gmail and its tokens, and SMTP, know the same directory.
func TestDirectoryElsewhere(t *testing.T) {
	t.Parallel()
	d := testDirectory()
	d.Mailboxes[0].Address = gmailFrom
	s := start(t, Options{AnyMailbox: true, Directory: d})
	if got := s.SMTPConnection(gmailFrom); got == nil || s.smtp.Password(gmailFrom) != "fixed" {
		t.Errorf("password %q", s.smtp.Password(gmailFrom))
	}
	account, err := s.google.ServiceAccountJSON()
	if err != nil {
		t.Fatal(err)
	}
	_, doc := ask(t, s.HTTPClient(), "POST", s.GoogleTokenURL(), "", "application/x-www-form-urlencoded",
		googleForm(t, account, s.GoogleTokenURL(), false))
	bearer, _ := doc["access_token"].(string)
	for from, shown := range map[string]string{"sales@contoso.example": "sales@contoso.example", "anna@contoso.example": gmailFrom} {
		status, doc := ask(t, s.HTTPClient(), "POST", s.GmailURL()+"/upload/gmail/v1/users/me/messages/send?uploadType=media", bearer,
			"message/rfc822", "From: "+from+"\r\nTo: a@example.com\r\n\r\nx")
		all := s.Deliveries()
		if status != http.StatusOK || len(all) == 0 || all[len(all)-1].From != shown {
			t.Errorf("%s: %d %v", from, status, doc)
		}
	}
	_, doc = ask(t, s.HTTPClient(), "GET", s.GmailURL()+"/gmail/v1/users/me/settings/sendAs", bearer, "", "")
	if list, _ := doc["sendAs"].([]any); len(list) != 3 {
		t.Errorf("sendAs: %v", doc)
	}
	delete(doc, "sendAs")
	d.Mailboxes = d.Mailboxes[1:] // gmailFrom is gone
	if err := s.SetDirectory(*d); err != nil {
		t.Fatal(err)
	}
	if status, doc := ask(t, s.HTTPClient(), "POST", s.GoogleTokenURL(), "", "application/x-www-form-urlencoded",
		googleForm(t, account, s.GoogleTokenURL(), false)); status != http.StatusBadRequest || doc["error"] != "invalid_grant" {
		t.Errorf("token without a user: %d %v", status, doc)
	}
}

// What cannot be meant is refused, and the directory in force stays.
func TestDirectoryMistakes(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true, Directory: testDirectory()})
	for body, want := range map[string]string{
		`{}`:                                 "no mailbox",
		`{"mailboxes":[{"address":"erp"}]}`:  "no address",
		`{"mailboxes":[{"adress":"a@b.c"}]}`: "unknown field",
		`{"mailboxes":[{"address":"a@b.c","state":"odd"}]}`:                                      "no state",
		`{"mailboxes":[{"address":"a@b.c"},{"address":"A@B.c"}]}`:                                "stands twice",
		`{"mailboxes":[{"address":"a@b.c","aliases":["p@b.c"]}],"people":[{"address":"p@b.c"}]}`: "stands twice",
	} {
		status, doc := ask(t, s.HTTPClient(), "PUT", s.ControlURL()+"/directory", "", "application/json", body)
		if text, _ := doc["error"].(string); status != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%s: %d %v", body, status, doc)
		}
	}
	status, doc := ask(t, s.HTTPClient(), "GET", s.ControlURL()+"/directory", "", "", "")
	if status != 200 || len(doc["mailboxes"].([]any)) != 4 {
		t.Errorf("in force: %d %v", status, doc)
	}
	if _, err := Start(Options{AnyMailbox: true, Dir: t.TempDir(), Directory: &Directory{}}); err == nil {
		t.Error("a sandbox started with an empty directory")
	}
}

// A certificate is registered from the file that the user has, PEM with its key or DER.
func TestRegisterCertificate(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	key, err := os.ReadFile(s.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(key)
	withKey := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), key...)
	for name, body := range map[string][]byte{"PEM": key, "DER": block.Bytes, "PEM with key": withKey} {
		if status, doc := ask(t, s.HTTPClient(), "POST", s.ControlURL()+"/certificates", "", "", string(body)); status != http.StatusCreated {
			t.Errorf("%s: %d %v", name, status, doc)
		}
	}
	if status, _ := ask(t, s.HTTPClient(), "POST", s.ControlURL()+"/certificates", "", "", "x"); status != http.StatusBadRequest {
		t.Errorf("no certificate: %d", status)
	}
}
