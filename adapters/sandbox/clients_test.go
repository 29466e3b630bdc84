package sandbox_test

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
)

// TestClients runs the vendors' own clients against the sandbox (testdata/clients): they
// know the vendors' real addresses, HTTPS_PROXY and the CA. POSTINO_PEERS=1 asks for it;
// the packages of Node.js are those of package-lock.json, in NODE_PATH.
func TestClients(t *testing.T) {
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("needs Node.js, Python and their packages: set POSTINO_PEERS=1")
	}
	t.Parallel()
	const from = "erp@contoso.example"
	scripts, err := filepath.Abs(filepath.Join("..", "..", "testdata", "clients"))
	if err != nil {
		t.Fatal(err)
	}
	discovery, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/api").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string][]string{
		"node":   {"node", filepath.Join(scripts, "clients.cjs")},
		"python": {"/usr/bin/python3", filepath.Join(scripts, "clients.py")}, // has the packages that Debian installs
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir(), ProxyAddr: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			certificate := graph.SettingsOf(s.GraphCertificateConnection(from)).CertificateFile
			s.GmailConnection(from) // writes the key file
			data, err := os.ReadFile(certificate)
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(data)
			thumbprint := sha1.Sum(block.Bytes)
			options, err := json.Marshal(map[string]string{
				"control": s.ControlURL(), "from": from, "tenant": sandbox.TenantID, "clientId": sandbox.ClientID, "clientSecret": sandbox.ClientSecret,
				"certificate": certificate, "thumbprint": hex.EncodeToString(thumbprint[:]),
				"federatedToken": graph.SettingsOf(s.GraphFederatedConnection(from)).FederatedTokenFile,
				"serviceAccount": filepath.Join(s.Dir(), "google-service-account.json"),
				"discovery":      filepath.Join(strings.TrimSpace(string(discovery)), "gmail", "v1", "gmail-api.json"),
			})
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
			cmd.Env = append(os.Environ(), "SANDBOX="+string(options), "HTTPS_PROXY="+s.ProxyURL(), "https_proxy="+s.ProxyURL(),
				"NO_PROXY=127.0.0.1", "SSL_CERT_FILE="+s.CAFile(), "NODE_EXTRA_CA_CERTS="+s.CAFile(), "REQUESTS_CA_BUNDLE="+s.CAFile())
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, v := range s.SMTPViolations() {
				t.Logf("SMTP: %s", v)
			}
		})
	}
}
