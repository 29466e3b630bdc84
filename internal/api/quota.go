package api

import (
	"net/http"

	"github.com/postino-mail/postino/adapters"
)

// overQuota refuses one more of something of which a client has most already.
// what names it in the plural; setting is what bounds it.
func overQuota(most int, what adapters.Text, setting string) error {
	return fail(http.StatusTooManyRequests, "quota", "",
		text("api.quota", "this client has {most} {what}, as many as it may have", "most", most, "what", what),
		text("api.quota_hint", "remove some, or ask the administrator to raise {setting} in the server's configuration", "setting", setting))
}

// quotaKey is what quotas are counted by: the client, or the API key or user of
// the machine that is none. Names of keys may be the same: ids count.
func (p *principal) quotaKey() string {
	if p.client != nil {
		return "client " + p.client.ID
	}
	return p.space
}
