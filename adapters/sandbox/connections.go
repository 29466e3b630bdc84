package sandbox

import (
	"path/filepath"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// DefaultFrom is the sender of the connections that the control lists.
const DefaultFrom = "erp@contoso.example"

// connections are one connection of each kind, each with its own name.
func (s *Sandbox) connections(from string) []*adapters.Connection {
	var out []*adapters.Connection
	for _, c := range []*adapters.Connection{
		s.GraphConnection(from), s.GraphCertificateConnection(from), s.GraphFederatedConnection(from),
		s.GmailConnection(from),
		s.SMTPConnection(from), s.SMTPOAuthConnection(from, "entra"), s.SMTPOAuthConnection(from, "google"),
	} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

// GraphConnection gives a complete connection to the fake Graph that sends as
// from, with a client secret. The mailbox exists. To be refused, change a
// field of the result: see the constants.
func (s *Sandbox) GraphConnection(from string) *adapters.Connection {
	c := s.graphConnection("Sandbox Graph", from)
	c.Graph.ClientSecret = ClientSecret
	return c
}

// GraphCertificateConnection is GraphConnection with a certificate.
func (s *Sandbox) GraphCertificateConnection(from string) *adapters.Connection {
	c := s.graphConnection("Sandbox Graph certificate", from)
	file, err := s.entra.certificateFile()
	if err != nil { // the connection fails with the file's name in its error
		s.log.Error("no client certificate", "error", err)
	}
	c.Graph.CertificateFile = file
	return c
}

// GraphFederatedConnection is GraphConnection with a federated token file. The
// token lives for an hour; WriteFederatedToken makes a new one.
func (s *Sandbox) GraphFederatedConnection(from string) *adapters.Connection {
	c := s.graphConnection("Sandbox Graph federated", from)
	c.Graph.FederatedTokenFile = filepath.Join(s.dir, "federated-token.jwt")
	if err := s.WriteFederatedToken(c.Graph.FederatedTokenFile, FederatedSubject, time.Hour); err != nil {
		s.log.Error("no federated token", "error", err) // as above
	}
	return c
}

func (s *Sandbox) graphConnection(name, from string) *adapters.Connection {
	return &adapters.Connection{
		Name: name, Provider: adapters.Graph, From: from,
		Graph: &adapters.GraphSettings{
			Tenant: TenantID, ClientID: ClientID,
			AuthorityURL: s.entra.url, GraphURL: s.graph.url,
		},
	}
}
