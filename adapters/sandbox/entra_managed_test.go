package sandbox

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

func TestManagedIdentity(t *testing.T) { // not parallel: the environment is the process's
	s := start(t, Options{AnyMailbox: true})
	for k, v := range s.ManagedIdentityEnv() {
		t.Setenv(k, v)
	}
	for id, ok := range map[string]bool{"": true, ClientID: true, OtherTenantID: false} {
		opt := &azidentity.ManagedIdentityCredentialOptions{}
		if id != "" {
			opt.ID = azidentity.ClientID(id)
		}
		cred, err := azidentity.NewManagedIdentityCredential(opt)
		if err != nil {
			t.Fatal(err)
		}
		tk, err := cred.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{GraphResource + "/.default"}})
		if (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
			continue
		}
		if got, err := s.entra.Verify(tk.Token); ok && (err != nil || !got.HasRole("Mail.Send")) {
			t.Errorf("%+v %v", got, err)
		}
	}
	res, err := http.Get(s.ControlURL() + "/msi/token?api-version=2019-08-01&resource=" + url.QueryEscape(GraphResource))
	if err != nil {
		t.Fatal(err)
	}
	if doc := decodeBody(t, res); res.StatusCode != 401 {
		t.Errorf("without the header: %d %v", res.StatusCode, doc)
	}
}
