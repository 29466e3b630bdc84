package graph

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	a, _ := adapterOn(t, "http://127.0.0.1:1", http.DefaultClient)
	many := make([]string, MaxRecipients+1)
	for i := range many {
		many[i] = fmt.Sprintf("r%d@example.com", i)
	}
	from := func(h string) *mime.Message {
		return message(t, strings.Replace(small, "From: ERP <erp@contoso.it>", h, 1))
	}
	for _, c := range []struct {
		name string
		out  adapters.Outgoing
		code string
	}{
		{"fine", smallOut(t), ""},
		{"an alias", outgoing(from("From: info@contoso.it"), "anna@example.com"), ""},
		{"501 recipients: the tenant decides", outgoing(message(t, small), many[:501]...), ""},
		{"1,000 recipients", outgoing(message(t, small), many[:MaxRecipients]...), ""},
		{"1,001 recipients", outgoing(message(t, small), many...), "too_many_recipients"},
		{"no recipient", outgoing(message(t, small)), "no_recipients"},
		{"a stranger's From", outgoing(from("From: ceo@contoso.it"), "anna@example.com"), "sender_not_allowed"},
		{"two authors with Sender", outgoing(from("From: erp@contoso.it, info@contoso.it\nSender: erp@contoso.it"), "anna@example.com"), ""},
		{"two authors, one not allowed", outgoing(from("From: erp@contoso.it, ceo@contoso.it\nSender: erp@contoso.it"), "anna@example.com"),
			"sender_not_allowed"},
		{"two authors without Sender", outgoing(from("From: erp@contoso.it, info@contoso.it"), "anna@example.com"), "no_sender"},
	} {
		err := a.Check(c.out)
		if c.code == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if e := wantClass(t, err, adapters.Permanent); string(e.Code) != c.code {
			t.Errorf("%s: %v", c.name, e)
		}
	}
}

func TestClouds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cloud, url, want string }{
		{"", "", "https://graph.microsoft.com/v1.0"},
		{"gcchigh", "", "https://graph.microsoft.us/v1.0"},
		{"dod", "", "https://dod-graph.microsoft.us/v1.0"},
		{"china", "", "https://microsoftgraph.chinacloudapi.cn/v1.0"},
		{"china", "https://127.0.0.1:8443/graph/", "https://127.0.0.1:8443/graph/v1.0"},
	} {
		if got := baseURL(&Settings{Entra: credential.Entra{Cloud: c.cloud}, GraphURL: c.url}); got != c.want {
			t.Errorf("%s %s: %s", c.cloud, c.url, got)
		}
	}
}
