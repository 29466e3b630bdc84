package tokens_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/tokens"
	"github.com/postino-mail/postino/tokens/credential"
)

// onGoogleCloud is a cache of a machine with the sandbox's metadata server.
func onGoogleCloud(t *testing.T, sb *sandbox.Sandbox) *tokens.Cache {
	t.Helper()
	c := tokens.NewCache(tokens.Options{RootCAs: sb.CertPool(), Getenv: func(name string) string { return sb.MetadataEnv()[name] }})
	t.Cleanup(func() { _ = c.Close() }) // the test has ended
	return c
}

func keylessToken(t *testing.T, cache *tokens.Cache, conn *adapters.Connection) error {
	t.Helper()
	s, err := cache.TokenSource(conn, adapters.AudienceGmailSend)
	if err != nil {
		return err
	}
	_, err = s.Token(t.Context())
	return err
}

// Google signs for the account of the machine, for another one, and for a platform
// elsewhere (contracts C6.10 to C6.12).
func TestGoogleSigns(t *testing.T) {
	t.Parallel()
	sb := start(t)
	const from = "erp@contoso.example"
	named := sb.GmailKeylessConnection(from)
	gmail.SettingsOf(named).ServiceAccount = "mailer@sandbox-project.iam.gserviceaccount.com"
	for name, conn := range map[string]*adapters.Connection{"machine": sb.GmailKeylessConnection(from), "named": named,
		"federated": sb.GmailFederatedConnection(from)} {
		if err := conn.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := keylessToken(t, onGoogleCloud(t, sb), conn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The federated one asks no metadata server.
	if err := keylessToken(t, newCache(t, sb), sb.GmailFederatedConnection(from)); err != nil {
		t.Error(err)
	}
}

// Each step that fails says what to do about it.
func TestGoogleDoesNotSign(t *testing.T) {
	t.Parallel()
	const from = "erp@contoso.example"
	iam := func(status int, message string) sandbox.Fault {
		return sandbox.Fault{Service: "google", Op: "sign", Status: status, Message: message}
	}
	for name, c := range map[string]struct {
		fault  sandbox.Fault
		change func(t *testing.T, sb *sandbox.Sandbox, conn *adapters.Connection) // nil: as it is
		cloud  bool                                                               // the machine is on Google Cloud
		fed    bool                                                               // by workload identity federation
		code   adapters.Code
		hint   string
		class  adapters.Class
	}{
		"elsewhere": {change: nil, code: adapters.CodeConnectionRefused, hint: "works on Google Cloud alone", class: adapters.Transient},
		"no account attached": {cloud: true, fault: sandbox.Fault{Service: "google", Op: "metadata", Status: 404},
			code: adapters.CodeNoCredential,
			hint: "attach a service account", class: adapters.Auth},
		"may not sign": {cloud: true, fault: iam(403, "Permission 'iam.serviceAccounts.signJwt' denied"), code: adapters.CodePermissionMissing,
			hint: "roles/iam.serviceAccountTokenCreator", class: adapters.Auth},
		"API switched off": {cloud: true,
			fault: iam(403, "IAM Service Account Credentials API has not been used in project 1 before or it is disabled."),
			code:  adapters.CodeServiceDisabled, hint: "gcloud services enable", class: adapters.Auth},
		"fault":     {cloud: true, fault: iam(503, ""), code: adapters.CodeProviderFault, hint: "retries", class: adapters.Transient},
		"throttled": {cloud: true, fault: iam(429, ""), code: adapters.CodeThrottled, hint: "waits", class: adapters.Throttled},
		"another account": {cloud: true, change: func(_ *testing.T, _ *sandbox.Sandbox, c *adapters.Connection) {
			gmail.SettingsOf(c).ServiceAccount = "other@sandbox-project.iam.gserviceaccount.com"
		}, code: adapters.CodeAppUnknown, hint: "check service_account", class: adapters.Auth},
		"not delegated": {cloud: true, fault: sandbox.Fault{Service: "google", Op: "token", Status: 401}, code: adapters.CodePermissionMissing,
			hint: "gmail.send", class: adapters.Auth},
		"stale platform token": {fed: true, change: func(t *testing.T, sb *sandbox.Sandbox, c *adapters.Connection) {
			rewrite(t, c, func(f map[string]any) {
				f["credential_source"] = map[string]any{"file": write(t, "a.b.c")}
			})
		}, code: adapters.CodeCredentialRefused, hint: "compare issuer and audience", class: adapters.Auth},
		"no such provider": {fed: true, change: func(t *testing.T, _ *sandbox.Sandbox, c *adapters.Connection) {
			rewrite(t, c, func(f map[string]any) { f["audience"] = "//iam.googleapis.com/projects/1/x" })
		}, code: adapters.CodeCredentialRefused, hint: "pool and provider must exist", class: adapters.Auth},
		"no platform token": {fed: true, change: func(t *testing.T, _ *sandbox.Sandbox, c *adapters.Connection) {
			rewrite(t, c, func(f map[string]any) {
				f["credential_source"] = map[string]any{"file": filepath.Join(t.TempDir(), "none")}
			})
		}, code: "credential_file", hint: "may read the file", class: adapters.Auth},
		"another host": {fed: true, change: func(t *testing.T, _ *sandbox.Sandbox, c *adapters.Connection) {
			rewrite(t, c, func(f map[string]any) { f["token_url"] = "https://sts.evil.example/v1/token" })
		}, code: "workload_identity", hint: "gcloud iam workload-identity-pools", class: adapters.Auth},
		"a program": {fed: true, change: func(t *testing.T, _ *sandbox.Sandbox, c *adapters.Connection) {
			rewrite(t, c, func(f map[string]any) {
				f["credential_source"] = map[string]any{"executable": map[string]any{"command": "/bin/true"}}
			})
		}, code: "workload_identity", hint: "gcloud", class: adapters.Auth},
		"a program behind another source": {fed: true, change: func(t *testing.T, _ *sandbox.Sandbox, c *adapters.Connection) {
			rewrite(t, c, func(f map[string]any) {
				f["credential_source"] = map[string]any{"environment_id": "x", "executable": map[string]any{"command": "/bin/true"}}
			})
		}, code: "workload_identity", hint: "gcloud", class: adapters.Auth},
		"a key": {fed: true, change: func(t *testing.T, _ *sandbox.Sandbox, c *adapters.Connection) {
			rewrite(t, c, func(f map[string]any) { f["type"] = "service_account" })
		}, code: "workload_identity", hint: "gcloud", class: adapters.Auth},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sb := start(t)
			conn, cache := sb.GmailKeylessConnection(from), onGoogleCloud(t, sb)
			if c.fed {
				conn = sb.GmailFederatedConnection(from)
			}
			if !c.cloud && !c.fed {
				cache = tokens.NewCache(tokens.Options{RootCAs: sb.CertPool(), Getenv: func(string) string { return "127.0.0.1:1" }})
				t.Cleanup(func() { _ = cache.Close() })
			}
			if c.change != nil {
				c.change(t, sb, conn)
			}
			if c.fault.Service != "" {
				sb.Inject(c.fault)
			}
			err := keylessToken(t, cache, conn)
			e := adapters.AsError(err)
			if err == nil || e.Class != c.class || e.Code != c.code || !strings.Contains(e.Hint.String(), c.hint) {
				t.Errorf("%v (%s %s): %s; want %s %s with %q", err, e.Class, e.Code, e.Hint, c.class, c.code, c.hint)
			}
		})
	}
}

// rewrite changes the workload identity file of a connection.
func rewrite(t *testing.T, c *adapters.Connection, change func(map[string]any)) {
	t.Helper()
	g := &gmail.SettingsOf(c).Google
	data, err := os.ReadFile(g.WorkloadIdentityFile)
	if err != nil {
		t.Fatal(err)
	}
	var f map[string]any
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	change(f)
	if data, err = json.Marshal(f); err != nil {
		t.Fatal(err)
	}
	g.WorkloadIdentityFile = write(t, string(data))
}

func write(t *testing.T, data string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What does not go together is refused where it is entered.
func TestKeylessSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		g  credential.Google
		ok bool
	}{
		"keyless":                   {credential.Google{Keyless: true}, true},
		"of an account":             {credential.Google{Keyless: true, ServiceAccount: "postino@project.iam.gserviceaccount.com"}, true},
		"file":                      {credential.Google{WorkloadIdentityFile: "/etc/postino/wif.json"}, true},
		"two":                       {credential.Google{Keyless: true, WorkloadIdentityFile: "x"}, false},
		"none":                      {credential.Google{}, false},
		"a key and keyless":         {credential.Google{Keyless: true, ServiceAccountJSON: "{}"}, false},
		"a key and an account":      {credential.Google{ServiceAccountFile: "x", ServiceAccount: "postino@p.iam.gserviceaccount.com"}, false},
		"an account that is a path": {credential.Google{Keyless: true, ServiceAccount: "x@y.z/../../other"}, false},
		"iam_url of a key":          {credential.Google{ServiceAccountFile: "x", IAMURL: "https://iam.example"}, false},
	} {
		conn := &adapters.Connection{Name: "x", Provider: adapters.Gmail, From: "erp@contoso.example", Settings: &gmail.Settings{Google: c.g}}
		if err := conn.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
