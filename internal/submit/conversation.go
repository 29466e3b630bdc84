package submit

import (
	"crypto/tls"
	"strings"

	"github.com/postino-mail/postino/internal/store"
)

// maxAgent bounds the name of a program.
const maxAgent = 120

// conversation is what the record of a message keeps of its submission: from where it
// came, and what was said.
func conversation(r *Request) string {
	if r.Said == "" {
		return ""
	}
	var from []string
	if r.Peer.Address.IsValid() {
		from = append(from, r.Peer.Address.Unmap().String())
	}
	if r.Peer.TLS != 0 {
		from = append(from, tls.VersionName(r.Peer.TLS))
	}
	if r.Peer.Agent != "" {
		from = append(from, r.Peer.Agent[:min(len(r.Peer.Agent), maxAgent)])
	}
	return store.Conversation(strings.Join(from, ", "), r.Said)
}
