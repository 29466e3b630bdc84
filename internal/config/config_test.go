package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	for _, c := range []struct {
		name, file, wantErr string
		env                 map[string]string
		check               func(*testing.T, Config)
	}{
		{name: "nothing at all", check: func(t *testing.T, c Config) {
			if c.SMTP[0].Address != "127.0.0.1:2525" || c.HTTP.Address != "127.0.0.1:8025" || c.Data != "postino-data" || c.Hostname == "" || c.Node == "" {
				t.Errorf("defaults: %+v", c)
			}
		}},
		{name: "file", file: "hostname='mail.contoso.it'\n[limits]\nmax_size='25MiB'\njoin_window='5s'\n[retention]\nbodies='2d'\n[[smtp]]\naddress='0.0.0.0:587'\ntls='starttls'\nauth='required'\n",
			check: func(t *testing.T, c Config) {
				if len(c.SMTP) != 1 || c.SMTP[0].Address != "0.0.0.0:587" || c.Limits.MaxSize != 25<<20 || time.Duration(c.Retention.Bodies) != 48*time.Hour || time.Duration(c.Limits.JoinWindow) != 5*time.Second {
					t.Errorf("%+v", c)
				}
			}},
		{name: "environment over file", file: "data='a'", env: map[string]string{"POSTINO_DATA": "b", "POSTINO_SMTP": "127.0.0.1:99"}, check: func(t *testing.T, c Config) {
			if c.Data != "b" || c.SMTP[0].Address != "127.0.0.1:99" {
				t.Errorf("%+v", c)
			}
		}},
		{name: "unknown key", file: "dta='x'", wantErr: `unknown setting "dta"`},
		{name: "bad duration", file: "[limits]\njoin_window='soon'", wantErr: "not a duration"},
		{name: "bad size", file: "[limits]\nmax_size='big'", wantErr: "not a size"},
		{name: "not TOML", file: "<html>", wantErr: "cannot be read"},
		{name: "open relay by network", file: "[[smtp]]\naddress='0.0.0.0:25'\nauth='off'\nnetworks=['0.0.0.0/0']", wantErr: "open relay"},
		{name: "open relay by address", file: "[[smtp]]\naddress='0.0.0.0:25'\nauth='off'", wantErr: "anybody could send"},
		{name: "legacy without a range", file: "[[smtp]]\naddress='0.0.0.0:25'\nplaintext_auth=true", wantErr: "needs networks"},
		{name: "old TLS without a range", file: "[[smtp]]\naddress='0.0.0.0:25'\nmin_tls='1.0'", wantErr: "needs networks"},
		{name: "legacy with a range", file: "[[smtp]]\naddress='0.0.0.0:25'\nbare_lf=true\nnetworks=['10.1.2.3','10.2.0.0/16']"},
		{name: "bad network", file: "[[smtp]]\naddress='0.0.0.0:25'\nnetworks=['here']", wantErr: "not a network"},
		{name: "receivers inside", file: "[webhooks]\nnetworks=['127.0.0.1','10.2.0.0/16']", check: func(t *testing.T, c Config) {
			if p, err := c.Webhooks.Prefixes(); err != nil || fmt.Sprint(p) != "[127.0.0.1/32 10.2.0.0/16]" {
				t.Errorf("%v %v", p, err)
			}
		}},
		{name: "receivers that are no network", file: "[webhooks]\nnetworks=['erp.local']", wantErr: "webhooks: \"erp.local\" is not a network"},
		{name: "receivers everywhere", file: "[webhooks]\nnetworks=['0.0.0.0/0']", wantErr: "name the receivers"},
		{name: "half a certificate", file: "[http]\ncert_file='x'", wantErr: "go together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := ""
			if c.file != "" {
				file = filepath.Join(t.TempDir(), "postino.toml")
				if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := none
			if c.env != nil {
				env = func(k string) string { return c.env[k] }
			}
			got, err := Load(file, env)
			if err == nil {
				err = got.Validate()
			}
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Fatalf("error %v, want one with %q", err, c.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.check != nil {
				c.check(t, got)
			}
		})
	}
}
