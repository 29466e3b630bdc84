package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every number of the outbox, the retention and the listeners is looked at: one
// that is added later too.
func TestNegativeNumbers(t *testing.T) {
	t.Parallel()
	never := []string{"limits.join_window", "notify.warn_after", "watch.waiting"}
	var walk func(t *testing.T, prefix string, v reflect.Value, c *Config)
	walk = func(t *testing.T, prefix string, v reflect.Value, c *Config) {
		for i := range v.NumField() {
			name := prefix + v.Type().Field(i).Tag.Get("toml")
			switch f := v.Field(i); {
			case f.Kind() == reflect.Struct:
				walk(t, name+".", f, c)
			case f.CanInt():
				f.SetInt(-1)
				err := c.Validate()
				if want := !slices.Contains(never, name); want != (err != nil &&
					strings.Contains(err.Error(), v.Type().Field(i).Tag.Get("toml")+" is negative")) {
					t.Errorf("%s: %v", name, err)
				}
				f.SetInt(0)
			}
		}
	}
	c := Default()
	walk(t, "", reflect.ValueOf(&c).Elem(), &c)
	walk(t, "smtp.", reflect.ValueOf(&c.SMTP[0]).Elem(), &c)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	for _, c := range []struct {
		name, file, wantErr string
		env                 map[string]string
		check               func(*testing.T, Config)
	}{
		{name: "nothing at all", check: func(t *testing.T, c Config) {
			if c.SMTP[0].Address != "127.0.0.1:2525" || c.HTTP.Address != "127.0.0.1:8025" || c.Data != "postino-data" || c.Hostname == "" ||
				c.Node == "" {
				t.Errorf("defaults: %+v", c)
			}
		}},
		{name: "file", file: "hostname='mail.contoso.it'\n[limits]\nmax_size='25MiB'\njoin_window='5s'\n[retention]\nbodies='2d'\n" +
			"[[smtp]]\naddress='0.0.0.0:587'\ntls='starttls'\nauth='required'\n",
			check: func(t *testing.T, c Config) {
				if len(c.SMTP) != 1 || c.SMTP[0].Address != "0.0.0.0:587" || c.Limits.MaxSize != 25<<20 ||
					time.Duration(c.Retention.Bodies) != 48*time.Hour || time.Duration(c.Limits.JoinWindow) != 5*time.Second {
					t.Errorf("%+v", c)
				}
			}},
		{name: "environment over file", file: "data='a'", env: map[string]string{"POSTINO_DATA": "b", "POSTINO_SMTP": "127.0.0.1:99"},
			check: func(t *testing.T, c Config) {
				if c.Data != "b" || c.SMTP[0].Address != "127.0.0.1:99" {
					t.Errorf("%+v", c)
				}
			}},
		{name: "listeners of the file stay", file: "[[smtp]]\naddress='127.0.0.1:1'\n[[smtp]]\naddress='127.0.0.1:2'",
			env: map[string]string{"POSTINO_SMTP": "127.0.0.1:99"}, check: func(t *testing.T, c Config) {
				if len(c.SMTP) != 2 || c.SMTP[0].Address != "127.0.0.1:1" || len(c.Warnings) != 1 {
					t.Errorf("%+v", c)
				}
			}},
		{name: "unknown key", file: "dta='x'", wantErr: `unknown setting "dta"`},
		{name: "bad duration", file: "[limits]\njoin_window='soon'", wantErr: "not a duration"},
		{name: "bad size", file: "[limits]\nmax_size='big'", wantErr: "not a size"},
		{name: "size beyond all", file: "[limits]\nmax_size='99999999999GiB'", wantErr: "not a size"},
		{name: "duration beyond all", file: "[retention]\nbodies='1e300d'", wantErr: "not a duration"},
		{name: "duration of no number", file: "[retention]\nbodies='NaNd'", wantErr: "not a duration"},
		{name: "negative workers", file: "workers=-1", wantErr: "workers is negative"},
		{name: "negative recipients", file: "[limits]\nmax_recipients=-1", wantErr: "limits.max_recipients is negative"},
		{name: "negative retry", file: "[outbox]\nretry_first='-1m'", wantErr: "outbox.retry_first is negative"},
		{name: "negative end", file: "[outbox]\ngive_up='-3d'", wantErr: "outbox.give_up is negative"},
		{name: "negative retention", file: "[retention]\nbodies='-1d'", wantErr: "retention.bodies is negative"},
		{name: "negative listener", file: "[[smtp]]\naddress='127.0.0.1:25'\nmax_connections=-1",
			wantErr: "smtp listener 127.0.0.1:25: max_connections is negative"},
		{name: "negative where it means never", file: "[limits]\njoin_window='-1s'\n[notify]\nwarn_after='-1s'\n[retention]\nbodies='0s'"},
		{name: "one listener as a table", file: "[smtp]\naddress='127.0.0.1:25'", wantErr: "write [[smtp]]"},
		{name: "a table as a list", file: "[[http]]\naddress='127.0.0.1:25'", wantErr: "write [http]"},
		{name: "not TOML", file: "<html>", wantErr: "cannot be read"},
		{name: "open relay by network", file: "[[smtp]]\naddress='0.0.0.0:25'\nauth='off'\nnetworks=['0.0.0.0/0']", wantErr: "open relay"},
		{name: "open relay by address", file: "[[smtp]]\naddress='0.0.0.0:25'\nauth='off'", wantErr: "anyone could send"},
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
		{name: "open relay in halves", file: "[[smtp]]\naddress='0.0.0.0:25'\nauth='optional'\nnetworks=['0.0.0.0/1','128.0.0.0/1']",
			wantErr: "open relay"},
		{name: "legacy for everyone", file: "[[smtp]]\naddress='0.0.0.0:25'\nbare_lf=true\nnetworks=['::/0']", wantErr: "needs networks"},
		{name: "servers everywhere", file: "[connections]\nnetworks=['::/1','8000::/1']", wantErr: "name the servers"},
		{name: "servers inside", file: "[connections]\nnetworks=['10.2.0.0/16']"},
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

func TestPostmaster(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "Admin@Contoso.IT": "Admin@contoso.it", "admin": "error"} {
		c := Default()
		c.Postmaster = in
		err := c.Validate()
		if want == "error" {
			if err == nil || !strings.Contains(err.Error(), "postmaster: ") {
				t.Errorf("%q: %v", in, err)
			}
		} else if err != nil || c.PostmasterMailbox.String() != want {
			t.Errorf("%q: %q, %v", in, c.PostmasterMailbox, err)
		}
	}
}
