package app

import (
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/web"
	"github.com/postino-mail/postino/mime"
)

// pageFacts are what the page shows administrators of the server's configuration.
func pageFacts(c *config.Config, smtp []string) []web.Fact {
	value := func(s string) interface{ In(lang string) string } {
		if s == "" {
			return text("web.fact_none", "none")
		}
		return web.Value(s)
	}
	kept := func(d config.Duration) interface{ In(lang string) string } {
		if d == 0 {
			return text("web.fact_forever", "for ever")
		}
		if day := 24 * time.Hour; time.Duration(d)%day == 0 {
			return mime.NewCount("web.fact_days", int(time.Duration(d)/day), "one day", "{count} days")
		}
		return web.Value(time.Duration(d).String())
	}
	return []web.Fact{
		{Name: text("web.fact_hostname", "Name of this server"), Value: value(c.Hostname)},
		{Name: text("web.fact_node", "Node"), Value: value(c.Node)},
		{Name: text("web.fact_smtp", "SMTP listeners"), Value: value(strings.Join(smtp, ", "))},
		{Name: text("web.fact_http", "HTTP listener"), Value: value(c.HTTP.Address)},
		{Name: text("web.fact_url", "Public address"), Value: value(c.HTTP.PublicURL)},
		{Name: text("web.fact_data", "Data folder"), Value: value(c.Data)},
		{Name: text("web.fact_bodies", "Messages are kept"), Value: kept(c.Retention.Bodies)},
		{Name: text("web.fact_records", "Records are kept"), Value: kept(c.Retention.Records)},
		{Name: text("web.fact_events", "Events are kept"), Value: kept(c.Retention.Events)},
		{Name: text("web.fact_hours", "Figures by the hour are kept"), Value: kept(config.Duration(store.HoursKept))},
		{Name: text("web.fact_audit", "Audit trail is kept"), Value: kept(c.Retention.Audit)},
	}
}
