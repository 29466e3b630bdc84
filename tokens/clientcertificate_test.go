package tokens_test

import (
	"os"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/tokens"
)

// The certificate of a connection is read from its file and from the connection itself,
// where those are that postino has made.
func TestClientCertificateOfConnection(t *testing.T) {
	t.Parallel()
	conn := start(t).GraphCertificateConnection("erp@contoso.example")
	ofFile, err := tokens.ClientCertificate(conn)
	if err != nil || ofFile == nil {
		t.Fatalf("of the file: %v, %v", ofFile, err)
	}
	set := graph.SettingsOf(conn)
	pem, err := os.ReadFile(set.CertificateFile)
	if err != nil {
		t.Fatal(err)
	}
	set.CertificateFile, set.Certificate = "", adapters.Secret(pem)
	if own, err := tokens.ClientCertificate(conn); err != nil || own == nil || !own.Equal(ofFile) {
		t.Errorf("of the connection: %v, %v", own, err)
	}
	set.Certificate = ""
	if none, err := tokens.ClientCertificate(conn); err != nil || none != nil {
		t.Errorf("of a connection without one: %v, %v", none, err)
	}
}
