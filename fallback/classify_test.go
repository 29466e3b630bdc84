package fallback

import (
	"bufio"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// Every reply of contracts D4 and D5, and one of each kind of the RFCs.
func TestClassify(t *testing.T) {
	t.Parallel()
	const (
		perm, trans, thr, auth = adapters.Permanent, adapters.Transient, adapters.Throttled, adapters.Auth
		msg, lane, conn        = adapters.ScopeMessage, adapters.ScopeLane, adapters.ScopeConnection
	)
	for _, c := range []struct {
		reply    string
		at       stage
		class    adapters.Class
		scope    adapters.Scope
		wantHint string // a word that the hint must hold
	}{
		{"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled",
			atAuth, auth, conn, "Set-CASMailbox"},
		{"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.", atAuth, auth, conn, "Set-CASMailbox"},
		{"535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [AM0]", atAuth, auth, conn, "oauth"},
		{"535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.",
			atAuth, auth, conn, "security defaults"},
		{"535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully.",
			atAuth, auth, conn, "Conditional Access"},
		{"535 5.7.3 Authentication unsuccessful [AM0PR04CA0123.eurprd04.prod.outlook.com 2026]", atAuth, auth, conn, "New-ServicePrincipal"},
		{"530 5.7.57 Client not authenticated to send mail. [AM0]", atMail, auth, conn, "login"},
		{"550 5.7.30 Basic authentication is not supported for Client Submission.", atAuth, auth, conn, "oauth"},
		{"550 5.7.30 Basic authentication is not supported for Client Submission.", atMail, auth, conn, "oauth"},
		{"550 5.7.60 SMTP; Client does not have permissions to send as this sender", atDot, perm, msg, "Send As"},
		{"554 5.2.252 SendAsDenied; a@x not allowed to send as b@x; STOREDRV.Submission.Exception:SendAsDeniedException",
			atDot, perm, msg, "Send As"},
		{"554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied", atDot, perm, msg, "Send As"},
		{"550 5.2.251 Sender throttled due to continuous mailbox full errors", atDot, thr, lane, "cause"},
		{"550 5.2.252 Sender throttled due to continuous send as denied errors", atDot, thr, lane, "cause"},
		{"550 5.2.253 Sender throttled", atDot, thr, lane, "cause"},
		{"550 5.2.254 Sender throttled", atDot, thr, lane, "cause"},
		{"550 5.2.255 Sender throttled", atDot, thr, lane, "cause"},
		{"432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending", atAuth, thr, lane, "concurrency"},
		{"432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", atDot, thr, lane, "concurrency"},
		{"421 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", atDot, thr, lane, "concurrency"},
		{"554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", atDot, thr, lane, "bulk"},
		{"554 5.2.2 STOREDRV.Submission; mailbox full", atDot, trans, lane, "room"},
		{"451 4.7.500 Server busy. Please try again later from [192.0.2.1].", atMail, thr, lane, "retries"},
		{"421 4.4.2 timeout", atMail, trans, conn, "retries"},
		{"454 4.7.0 Temporary authentication failure", atAuth, trans, conn, "retries"},
		{"550 5.1.20 Multiple From addresses", atDot, perm, msg, "Sender"},
		{"550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds", atDot, perm, msg, "CRLF"},
		{"550 5.7.705 Access denied, tenant has exceeded threshold", atMail, perm, conn, "support"},
		{"550 5.7.708 Access denied, traffic not accepted from this IP", atMail, perm, conn, "support"},
		{"550 5.7.750 Client blocked from sending from unregistered domains", atMail, perm, conn, "support"},
		{"550 5.7.232 trial limit", atDot, thr, conn, "bulk"},
		{"550 5.7.233 tenant external recipient rate limit", atDot, thr, conn, "bulk"},
		{"550 5.7.236 onmicrosoft limit", atDot, thr, conn, "bulk"},
		{"432 4.7.12 A password transition is needed", atAuth, auth, conn, "password"},
		{"500 5.5.6 line too long", atAuth, auth, conn, "administrator"},
		{"534 5.7.9 Application-specific password required", atAuth, auth, conn, "app password"},
		{"534 5.7.14 Please log in via your web browser", atAuth, auth, conn, "browser"},
		{"534 mechanism too weak", atAuth, auth, conn, "smtp.auth"},
		{"535 5.7.8 Username and Password not accepted", atAuth, auth, conn, "app password"},
		{"535 nope", atAuth, auth, conn, "password"},
		{"538 5.7.11 Encryption required", atAuth, auth, conn, "starttls"},
		{"421 4.3.0 Temporary System Problem", atMail, trans, conn, "retries"},
		{"421 4.4.5 Server busy, try again later", atGreeting, trans, conn, "retries"},
		{"421 4.7.0 Try again later, closing connection", atHello, trans, conn, "retries"},
		{"450 4.2.1 The user you are trying to contact is receiving mail at a rate", atRcpt, trans, msg, "retries"},
		{"451 4.3.0 Mail server temporarily rejected message", atDot, trans, conn, "retries"},
		{"452 4.5.3 Your message has too many recipients", atRcpt, trans, msg, "another transaction"},
		{"454 4.7.0 Too many login attempts, please try again later", atAuth, trans, conn, "retries"},
		{"550 5.4.5 Daily user sending limit exceeded", atDot, thr, lane, "bulk"},
		{"552 5.2.3 Your message exceeded Google's message size limits", atDot, perm, msg, "attachments"},
		{"550 5.1.1 User unknown", atRcpt, perm, msg, "address"},
		{"550 5.1.10 RESOLVER.ADR.RecipientNotFound", atRcpt, perm, msg, "address"},
		{"550 5.1.2 no such domain", atRcpt, perm, msg, "address"},
		{"550 5.4.1 Recipient address rejected: Access denied", atRcpt, perm, msg, "address"},
		{"552 5.2.2 over quota", atRcpt, perm, msg, "recipient"},
		{"452 4.2.2 over quota", atRcpt, trans, msg, "retries"},
		{"552 5.3.4 too big", atMail, perm, msg, "attachments"},
		{"552 too big", atDot, perm, msg, "attachments"},
		{"552 Mailbox quota exceeded", atDot, perm, msg, "recipient"},
		{"553 5.1.7 bad sender", atMail, auth, conn, "sender"},
		{"554 5.4.6 too many hops", atDot, perm, msg, "forwarding"},
		{"554 5.6.7 UTF8 needed", atRcpt, perm, msg, "ASCII"},
		{"550 5.7.23 SPF fail", atDot, perm, msg, "SPF"},
		{"550 5.7.26 unauthenticated", atDot, perm, msg, "DKIM"},
		{"550 5.7.1 blocked", atDot, perm, msg, "words"},
		{"451 4.7.1 greylisted", atRcpt, trans, msg, "retries"},
		{"530 Authentication required", atMail, auth, conn, "login"},
		{"550 5.7.0 Authentication required", atMail, auth, conn, "login"},
		{"554 5.7.1 blocked by list", atGreeting, auth, conn, "address"},
		{"550 refused", atHello, auth, conn, "address"},
		{"501 5.5.4 no", atTLS, auth, conn, "465"},
		{"454 TLS not available", atTLS, trans, conn, "administrator"},
		{"503 5.5.1 bad sequence", atData, perm, msg, "administrator"},
		{"251 will forward", atAuth, trans, conn, "host"},
	} {
		r, err := readReply(bufio.NewReader(strings.NewReader(c.reply + "\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		m := classify(input{reply: r, at: c.at})
		if m.scope == "" {
			m.scope = msg
		}
		if m.class != c.class || m.scope != c.scope || !strings.Contains(m.hint.String(), c.wantHint) {
			t.Errorf("%q at %d: %s %s %q, want %s %s and %q", c.reply, c.at, m.class, m.scope, m.hint.String(), c.class, c.scope, c.wantHint)
		}
		if m.message.String() == "" || m.message.In("it") == "" || m.hint.In("it") == "" {
			t.Errorf("%q: a text is missing: %+v", c.reply, m)
		}
		sendAs := strings.Contains(c.wantHint, "Send As")
		if m.noRetry != sendAs {
			t.Errorf("%q: NoRetry %v", c.reply, m.noRetry)
		}
		if m.tooLarge != (c.wantHint == "attachments") {
			t.Errorf("%q: TooLarge %v", c.reply, m.tooLarge)
		}
		if (m.after == 24*time.Hour) != (c.wantHint == "bulk") {
			t.Errorf("%q: after %v", c.reply, m.after)
		}
	}
}

func TestRefusalShowsOnlyWhatMayBeShown(t *testing.T) {
	t.Parallel()
	a := &Adapter{host: "mail.example", set: &Settings{}, conn: &adapters.Connection{}}
	s := &session{}
	s.censor.hide("s3cret-pass")
	e := a.refused(s, atAuth, reply{Code: 535, Enhanced: "5.7.8", Lines: []string{"login x with s3cret-pass failed"}})
	if strings.Contains(e.Error()+e.Err.Error()+e.Message.In("it"), "s3cret") || strings.Contains(e.Message.String(), "says") {
		t.Errorf("%v", e)
	}
	e = a.refused(s, atDot, reply{Code: 554, Enhanced: "5.7.1", Lines: []string{"bad \x1b[31mcontent\x07"}})
	if !strings.Contains(e.Message.String(), `mail.example says "bad [31mcontent"`) || e.ProviderCode != "554 5.7.1" || e.Status != 554 ||
		e.Enhanced != "5.7.1" {
		t.Errorf("%+v", e)
	}
	var r *refusal
	if !errors.As(e, &r) || r.at != atDot {
		t.Errorf("cause %v", e.Err)
	}
}

// Too many sessions at once lower the concurrency of a mailbox (contracts D4).
func TestConcurrency(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded": true,
		"451 4.7.500 Server busy": false,
	} {
		var r reply
		code, text, _ := strings.Cut(line, " ")
		enhanced, rest, _ := strings.Cut(text, " ")
		r.Code, _ = strconv.Atoi(code)
		r.Enhanced, r.Lines = enhanced, []string{rest}
		if m := classify(input{reply: r, at: atMessage}); m.concurrency != want || m.class != adapters.Throttled {
			t.Errorf("%s: %+v", line, m)
		}
	}
}

func TestEveryRowHasACause(t *testing.T) {
	t.Parallel()
	for _, r := range append(providerRows(), genericRows()...) {
		if r.meaning.code == "" {
			t.Errorf("%d %s %q has no code", r.code, r.enhanced, r.contains)
		}
	}
}
