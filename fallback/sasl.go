package fallback

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // CRAM-MD5 (RFC 2195) is what some servers still want
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

// errSASL is a server that breaks the rules of the mechanism. Its text holds
// nothing of the exchange.
type errSASL struct{ why string }

func (e *errSASL) Error() string { return "sasl: " + e.why }

// credentials are what a session proves its identity with; one of password and token is set.
type credentials struct {
	user, password, token string
	host                  string // for OAUTHBEARER (RFC 7628 section 3.1)
	port                  int
}

// mechanism makes the client side of a mechanism, nil for an unknown one.
func mechanism(name string, c credentials) sasl.Client {
	switch name {
	case "PLAIN":
		return sasl.NewPlainClient("", c.user, c.password)
	case "LOGIN":
		return &loginClient{answers: []string{c.user, c.password}}
	case "CRAM-MD5":
		return &cramMD5Client{c.user, c.password}
	case "SCRAM-SHA-1":
		return &scramClient{name: name, hash: scram.SHA1, c: c}
	case "SCRAM-SHA-256":
		return &scramClient{name: name, hash: scram.SHA256, c: c}
	case "XOAUTH2":
		return &xoauth2Client{c}
	case "OAUTHBEARER":
		return &oauthBearerClient{c}
	}
	return nil
}

// loginClient answers two challenges whatever they say: "Username:",
// "User Name\x00", "login" and worse are all in use.
type loginClient struct{ answers []string }

func (c *loginClient) Start() (string, []byte, error) { return "LOGIN", nil, nil }

func (c *loginClient) Next([]byte) ([]byte, error) {
	if len(c.answers) == 0 {
		return nil, &errSASL{"LOGIN asks a third question"}
	}
	a := c.answers[0]
	c.answers = c.answers[1:]
	return []byte(a), nil
}

// cramMD5Client is RFC 2195.
type cramMD5Client struct{ user, password string }

func (c *cramMD5Client) Start() (string, []byte, error) { return "CRAM-MD5", nil, nil }

func (c *cramMD5Client) Next(challenge []byte) ([]byte, error) {
	if len(challenge) == 0 {
		return nil, &errSASL{"CRAM-MD5 without a challenge"}
	}
	mac := hmac.New(md5.New, []byte(c.password))
	mac.Write(challenge)
	return []byte(c.user + " " + hex.EncodeToString(mac.Sum(nil))), nil
}

// xoauth2Client is Google's and Microsoft's mechanism (contracts D1, D1.4).
type xoauth2Client struct{ c credentials }

func (x *xoauth2Client) Start() (string, []byte, error) {
	if strings.ContainsAny(x.c.user+x.c.token, "\x01\r\n") {
		return "", nil, &errSASL{"the mailbox or the token holds a control character"}
	}
	return "XOAUTH2", []byte("user=" + x.c.user + "\x01auth=Bearer " + x.c.token + "\x01\x01"), nil
}

// Next answers the JSON of the error with an empty line, so that its code follows.
func (x *xoauth2Client) Next([]byte) ([]byte, error) { return []byte{}, nil }

// oauthBearerClient is RFC 7628.
type oauthBearerClient struct{ c credentials }

func (o *oauthBearerClient) Start() (string, []byte, error) {
	if strings.ContainsAny(o.c.user+o.c.token, "\x01\r\n") {
		return "", nil, &errSASL{"the mailbox or the token holds a control character"}
	}
	user := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(o.c.user) // saslname, RFC 5801 section 4
	return "OAUTHBEARER", []byte("n,a=" + user + ",\x01host=" + o.c.host + "\x01port=" + strconv.Itoa(o.c.port) +
		"\x01auth=Bearer " + o.c.token + "\x01\x01"), nil
}

// Next answers the JSON of the error with the dummy response of RFC 7628 section 3.2.3.
func (o *oauthBearerClient) Next([]byte) ([]byte, error) { return []byte{1}, nil }

// maxIterations bounds the work that a server may ask of a SCRAM client.
const maxIterations = 1_000_000

// scramClient is RFC 5802 and RFC 7677. It is done only when the server has
// proved that it knows the password too.
type scramClient struct {
	name string
	hash scram.HashGeneratorFcn
	c    credentials
	conv *scram.ClientConversation
}

func (s *scramClient) Start() (string, []byte, error) {
	client, err := s.hash.NewClient(s.c.user, s.c.password, "")
	if err != nil {
		return "", nil, &errSASL{"the login or the password holds characters that SCRAM does not allow"}
	}
	s.conv = client.WithMinIterations(4096).NewConversation() // RFC 7677 section 4
	first, err := s.conv.Step("")
	if err != nil {
		return "", nil, &errSASL{"SCRAM cannot begin"}
	}
	return s.name, []byte(first), nil
}

func (s *scramClient) Next(challenge []byte) ([]byte, error) {
	for field := range strings.SplitSeq(string(challenge), ",") {
		if n, ok := strings.CutPrefix(field, "i="); ok {
			if i, err := strconv.Atoi(n); err != nil || i > maxIterations {
				return nil, &errSASL{"the server asks for too many SCRAM iterations"}
			}
		}
	}
	answer, err := s.conv.Step(string(challenge))
	if err != nil {
		return nil, &errSASL{"the server's SCRAM message is wrong: it may not know the password"}
	}
	return []byte(answer), nil
}

// finished reports whether the mechanism takes 235 for an answer.
func finished(c sasl.Client) error {
	if s, ok := c.(*scramClient); ok && !s.conv.Valid() {
		return errors.New("sasl: the server did not prove that it knows the password")
	}
	return nil
}
