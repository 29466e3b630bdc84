package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// look searches every output for every secret, in each form in which it may be written.
func (r *secretRun) look() {
	r.t.Helper()
	forms := map[string]string{}
	for name, v := range r.secrets {
		quoted, err := json.Marshal(v)
		if err != nil {
			r.t.Fatal(err)
		}
		for form, text := range map[string]string{"": v, "JSON": strings.Trim(string(quoted), `"`), "HTML": html.EscapeString(v),
			"URL": url.QueryEscape(v), "path": url.PathEscape(v), "quoted": strings.Trim(fmt.Sprintf("%q", v), `"`),
			"base64": base64.StdEncoding.EncodeToString([]byte(v)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(v)),
			"hex": hex.EncodeToString([]byte(v))} {
			if forms[text] == "" {
				forms[text] = strings.TrimSpace(name + " " + form)
			}
		}
	}
	patterns := map[string]*regexp.Regexp{"private key": regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`),
		"token": regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}`)}
	for _, o := range r.outputs {
		for text, name := range forms {
			if i := strings.Index(o.text, text); i >= 0 {
				r.t.Errorf("%s: %s: …%q…", o.name, name, o.text[max(0, i-60):i])
			}
		}
		for name, p := range patterns {
			if i := p.FindStringIndex(o.text); i != nil {
				r.t.Errorf("%s: a %s: …%q…", o.name, name, o.text[max(0, i[0]-60):i[0]+12])
			}
		}
	}
	r.t.Logf("%d secrets in %d forms, %d outputs", len(r.secrets), len(forms), len(r.outputs))
}

// complete makes sure that the outputs are what they are taken for: each has words of its own.
func (r *secretRun) complete(database string) {
	r.t.Helper()
	store, content := "data/", "by smtp"
	if database != "" {
		store, content = "dump of the database", "contoso.example"
	}
	for name, words := range map[string]string{store: content,
		"log of the server": "level=DEBUG", "page /": "</html>", "GET /metrics": "postino_",
		"GET /v1/audit":     "\"action\"",
		"GET /v1/messages/": "conversation", "postino people audit": "connection", "postino connection export": "smtp",
		"call of the webhook":       "delivery.",
		"postino connection script": "New-", "export of messages": "Subject: by smtp", "postino connection test": "failed",
	} {
		if !slices.ContainsFunc(r.outputs, func(o secretOutput) bool {
			return strings.HasPrefix(o.name, name) && strings.Contains(o.text, words)
		}) {
			r.t.Errorf("no output %q has %q", name, words)
		}
	}
	answered := map[string]int{}
	for _, o := range r.outputs {
		if method, _, _ := strings.Cut(o.name, " "); slices.Contains([]string{"post", "put", "patch", "delete"}, method) {
			answered[o.text[:3]]++
		}
	}
	if answered["200"]+answered["201"]+answered["204"] < 20 || answered["422"] < 100 || answered["500"] > 0 {
		r.t.Errorf("the operations answered %v", answered)
	}
}

// stored reads the store: every file of the data folder but the keys, and the database.
func (r *secretRun) stored(database string) {
	r.t.Helper()
	r.files("data", r.data)
	if database == "" {
		return
	}
	u, err := url.Parse(database)
	if err != nil {
		r.t.Fatal(err)
	}
	q := u.Query()
	name := q.Get("search_path")
	q.Del("search_path")
	u.RawQuery = q.Encode()
	dump, err := exec.CommandContext(r.t.Context(), pgDump(), "--schema="+name, "--dbname="+u.String()).CombinedOutput()
	if err != nil || !bytes.Contains(dump, []byte("COPY ")) {
		r.t.Fatalf("pg_dump: %v: %.300s", err, dump)
	}
	r.output("dump of the database", string(dump))
	// bytea is written in hex.
	for _, m := range regexp.MustCompile(`\\\\x([0-9a-f]{2,})`).FindAllSubmatch(dump, -1) {
		if b, err := hex.DecodeString(string(m[1])); err == nil {
			r.output("bytes of the database", string(b))
		}
	}
}

// pgDump is the one of the newest version that is there, as the server may be newer than
// the one of the path.
func pgDump() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump") // the pattern is right
	if len(found) == 0 {
		return "pg_dump"
	}
	return found[len(found)-1]
}

// files takes every file of a folder but those that are keys.
func (r *secretRun) files(what, dir string) {
	r.t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "key.json" || strings.HasSuffix(d.Name(), "-key.pem") {
			return err
		}
		b, err := os.ReadFile(path)
		r.output(what+strings.TrimPrefix(path, dir), string(b))
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
}

// secretBodies have a secret at right and wrong places, in broken JSON, and with a wrong type.
func secretBodies(s string) []string {
	return []string{
		`{"name":"n","provider":"smtp","from":"b@contoso.example","smtp":{"host":"127.0.0.1","port":1,"login":"l","password":` + s + `}}`,
		`{"name":"n2","provider":"graph","from":"b@contoso.example","graph":{"tenant":"c.example","client_id":"x","client_secret":` + s + `}}`,
		`{"smtp":{"password":` + s + `}}`, `{"graph":{"client_secret":` + s + `}}`, `{"gmail":{"service_account_json":` + s + `}}`,
		`{"smtp":{"password":[` + s + `]}}`, `{"smtp":{"passwd":` + s + `},"pasword":` + s + `}`, `{"smtp":{"password":` + s,
		`{"password":` + s + `,"token":` + s + `,"current":` + s + `,"new":` + s + `,"secret":` + s + `,"identity":` + s + `}`,
		`{"email":"anna@contoso.example","password":` + s + `}`, `{"token":` + s + `,"password":` + s + `}`, `{"password":` + s + `}`,
		`{"content":"{\"name\":\"i\",\"smtp\":{\"password\":\"b0dy-secret/+","identity":` + s + `}`,
		`{"connections":[{"name":"p","provider":"smtp","from":"p@c.example","smtp":{"host":"h.example","login":"l","password":` + s + `}}]}`,
		`{"to":"graph","connection":{"name":"m","graph":{"tenant":"t","client_id":"c","client_secret":` + s + `}}}`, s, `[` + s + `]`, "",
	}
}
