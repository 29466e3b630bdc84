package view

import (
	"time"

	"github.com/postino-mail/postino/internal/clientcert"
)

// A Certificate is the public part of a client certificate that postino made.
type Certificate struct {
	State      string    `json:"state" enum:"in_use,waiting" doc:"waiting: takes over once it is activated"`
	Thumbprint string    `json:"thumbprint" doc:"SHA-1, as the portal shows it"`
	NotAfter   time.Time `json:"not_after"`
	PEM        string    `json:"pem" doc:"The public part, to upload as .cer"`
}

// OfCertificates returns the view of a connection's certificates.
func OfCertificates(all []clientcert.Shown) []Certificate {
	out := []Certificate{}
	for _, c := range all {
		v := Certificate{State: "in_use", Thumbprint: c.Thumbprint(), NotAfter: c.NotAfter().UTC(), PEM: c.PEM()}
		if c.Next {
			v.State = "waiting"
		}
		out = append(out, v)
	}
	return out
}
