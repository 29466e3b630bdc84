package presets

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/mime"
)

// personalTenant is that of all personal Microsoft accounts.
const personalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

const tenantHost = "login.microsoftonline.com"

// tenant asks Microsoft Entra for the tenant of the domain (contracts L16). A
// tenant alone does not prove that the mail is there: many exist for other uses.
func (q *query) tenant(ctx context.Context) found {
	if known := q.known.ofDomain(q.domain); len(known) > 0 && known[0].Name != microsoft365 {
		return found{check: Check{SourceTenant, Skipped, mime.NewText("presets.tenant_skipped", "{domain} is known already",
			"domain", q.domain)}}
	}
	body, err := q.get(ctx, "https://"+tenantHost+"/"+url.PathEscape(q.domain)+"/v2.0/.well-known/openid-configuration")
	if err != nil {
		return q.nothing(SourceTenant, absent(err))
	}
	id, cloud := parseTenant(body)
	p := q.known.byName[microsoft365]
	if id == "" || p == nil {
		return q.nothing(SourceTenant, nil)
	}
	out := p.proposal(q.address, SourceTenant, 60, mime.NewText("presets.reason_tenant",
		"{domain} belongs to the Microsoft Entra tenant {tenant}", "domain", q.domain, "tenant", id))
	out.Tenant, out.Cloud = id, cloud
	return q.found(SourceTenant, []*Proposal{out})
}

// microsoft365 is the preset of a tenant.
const microsoft365 = "microsoft365"

// parseTenant reads the id of a tenant from its OpenID configuration, and its
// cloud as the setting graph.cloud names it.
func parseTenant(body []byte) (id, cloud string) {
	var doc struct {
		TokenEndpoint string `json:"token_endpoint"`
		SubScope      string `json:"tenant_region_sub_scope"`
		Instance      string `json:"cloud_instance_name"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return "", ""
	}
	u, err := url.Parse(doc.TokenEndpoint)
	if err != nil || u.Scheme != "https" {
		return "", ""
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	parsed, err := uuid.Parse(first)
	if err != nil || parsed.String() == personalTenant {
		return "", ""
	}
	switch {
	case doc.SubScope == "DOD":
		cloud = "dod"
	case doc.SubScope == "DODCON":
		cloud = "gcchigh"
	case strings.HasSuffix(doc.Instance, "microsoftonline.cn"):
		cloud = "china"
	}
	return parsed.String(), cloud
}
