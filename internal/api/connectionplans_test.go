package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

const planPath = "/v1/connections/"

// one is the JSON of an SMTP connection.
func one(name, more string) string {
	if more == "" {
		more = `,"auth":"none"`
	}
	return `{"name":"` + name + `","provider":"smtp","from":"` + name + `@own.example",` +
		`"smtp":{"host":"smtp.example.com","login":"l"` + more + `}}`
}

func TestConnectionPlans(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key, err := age.GenerateX25519Identity()
	w.must(err)
	var plan ConnectionPlan
	do := func(status int, path, body string) answer {
		t.Helper()
		plan = ConnectionPlan{}
		a := w.want(w.do(w.admin, "POST", planPath+path, body), status)
		if status == http.StatusOK {
			a.into(t, &plan)
		}
		return a
	}
	exported := func(query string) string {
		t.Helper()
		return string(w.want(w.do(w.admin, "GET", planPath+"export"+query, nil), http.StatusOK).body)
	}
	list := `"connections":[` + one("a", `,"password":"hunter2"`) + `,` + one("b", "") + `]`
	do(http.StatusOK, "plan", `{`+list+`}`)
	if len(plan.Steps) != 2 || plan.Applied || strings.Contains(exported(""), `"a"`) {
		t.Errorf("%+v", plan)
	}
	seen := plan.Plan
	do(http.StatusOK, "apply", `{`+list+`,"plan":"`+seen+`"}`)
	if len(plan.Steps) != 2 || !plan.Applied {
		t.Errorf("%+v", plan)
	}
	do(http.StatusConflict, "apply", `{`+list+`,"plan":"`+seen+`"}`) // what was seen is not what would be done
	do(http.StatusOK, "apply", `{`+list+`}`)
	if len(plan.Steps) != 0 {
		t.Errorf("a second run: %+v", plan)
	}

	// Exports have no secret but sealed ones, and come back.
	for _, query := range []string{"", "?format=csv", "?format=csv&separator=%3B", "?recipient=" + key.Recipient().String()} {
		doc := exported(query)
		if strings.Contains(doc, "hunter2") || strings.Contains(doc, "***") {
			t.Errorf("%s: %s", query, doc)
		}
		body, err := json.Marshal(map[string]any{"content": doc, "identity": key.String(), "dry_run": true})
		w.must(err)
		if do(http.StatusOK, "import", string(body)); len(plan.Steps) != 0 || plan.Applied {
			t.Errorf("%s: %+v", query, plan)
		}
	}
	sealed := exported("?recipient=" + key.Recipient().String())
	do(http.StatusUnprocessableEntity, "apply", `{"connections":`+sealed+`}`)
	moved := strings.Replace(sealed, "smtp.example.com", "smtp.evil.example", 1)
	if a := do(http.StatusUnprocessableEntity, "apply", `{"connections":`+moved+`,"identity":"`+key.String()+`"}`); !strings.Contains(
		string(a.body), "smtp.host") || strings.Contains(string(a.body), key.String()) {
		t.Errorf("%s", a.body)
	}
	do(http.StatusOK, "import", `{"content":"nome;mittente;server\nc;c@own.example;smtp.example.com\n"}`)
	if len(plan.Steps) != 1 || !plan.Applied {
		t.Errorf("%+v", plan)
	}

	// One fault, and nothing is done; every fault is named.
	bad := `{"connections":[` + one("d", "") + `,` + one("e", `,"prot":25`) + `,{"name":"f"}]}`
	wrong := string(do(http.StatusUnprocessableEntity, "apply", bad).body)
	if !strings.Contains(wrong, "prot") || !strings.Contains(wrong, `\"f\"`) {
		t.Errorf("%s", wrong)
	}
	if strings.Contains(exported(""), `"d"`) {
		t.Error("a part of it was done")
	}
	before := len(w.trail())
	do(http.StatusOK, "apply", `{"connections":[`+one("a", " ")+`],"prune":true}`)
	for _, e := range w.trail()[before:] {
		if e.Kind != store.KindConnection || e.Action != store.AuditRemoved || e.Actor.Via != store.ViaAPI {
			t.Errorf("%+v", e)
		}
	}
	if len(plan.Steps) < 3 || strings.Count(exported(""), `"provider"`) != 1 {
		t.Errorf("%+v", plan)
	}
	for query, status := range map[string]int{"?recipient=age1x": 422, "?format=xml": 422, "?separator=a": 422, "?secrets=yes": 422} {
		w.want(w.do(w.admin, "GET", planPath+"export"+query, nil), status)
	}
}

// An operator plans, applies and exports what is theirs, and nothing else is there for them.
func TestOperatorsPlans(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	others := w.othersConnection()
	op := w.person("op@own.example", store.RoleOperator)
	mine := w.connection("Mia", "mia@own.example", op.ID)
	key := w.personsKey(op)
	a := w.want(w.do(key, "GET", planPath+"export", nil), http.StatusOK)
	if body := string(a.body); !strings.Contains(body, "Mia") || strings.Contains(body, "Ufficio") || strings.Contains(body, others) {
		t.Errorf("%s", a.body)
	}
	w.want(w.do(key, "GET", planPath+"export?recipient=age1x", nil), http.StatusForbidden)
	var plan ConnectionPlan
	w.want(w.do(key, "POST", planPath+"apply", `{"connections":[`+one("neu", "")+`],"prune":true}`), http.StatusOK).into(t, &plan)
	if len(plan.Steps) != 2 || plan.Steps[1].Name != "Mia" || plan.Steps[1].Action != "remove" {
		t.Errorf("%+v", plan)
	}
	if _, err := w.store.Connection(t.Context(), others); err != nil {
		t.Errorf("another's connection: %v", err)
	}
	if _, err := w.store.Connection(t.Context(), mine.ID); err == nil {
		t.Error("the own connection is there still")
	}
	c, err := w.store.ConnectionNamed(t.Context(), "neu")
	if err != nil || c.Owner != op.ID {
		t.Errorf("%+v, %v", c, err)
	}
	for body, status := range map[string]int{
		strings.Replace(one("x", ""), `"from"`, `"default":"always","from"`, 1): http.StatusForbidden,
		strings.Replace(one("x", ""), `"from"`, `"owner":"other","from"`, 1):    http.StatusForbidden,
		strings.Replace(one("x", ""), "smtp.example.com", "192.168.0.1", 1):     http.StatusForbidden,
		one("x", `,"allow_insecure":true`):                                      http.StatusForbidden,
		one("Ufficio", ""):                                                      http.StatusConflict,
	} {
		w.want(w.do(key, "POST", planPath+"apply", `{"connections":[`+one("y", "")+`,`+body+`]}`), status)
	}
	if _, err := w.store.ConnectionNamed(t.Context(), "y"); err == nil {
		t.Error("a part of a refused plan was done")
	}
}

// Sealed secrets that are hidden (***) stand for nothing: whoever seals a document of
// their own does not send the stored secret elsewhere.
func TestSealedAndHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	op := w.person("op@own.example", store.RoleOperator)
	w.want(w.do(w.admin, "POST", "/v1/connections", strings.Replace(one("mine", `,"password":"hunter2"`), `"from"`,
		`"owner":"`+op.ID+`","from"`, 1)), http.StatusCreated)
	identity, err := age.GenerateX25519Identity()
	w.must(err)
	const evil = "smtp.evil.example"
	var sealed bytes.Buffer
	to, err := age.Encrypt(&sealed, identity.Recipient())
	w.must(err)
	moved := strings.NewReplacer("smtp.example.com", evil, `"from"`, `"owner":"`+op.ID+`","from"`)
	_, err = to.Write([]byte(moved.Replace(one("mine", `,"password":"***"`))))
	w.must(err)
	w.must(to.Close())
	for name, password := range map[string]string{"left out": "", "hidden": `,"password":"***"`} {
		doc := moved.Replace(one("mine", password))
		body := `{"identity":"` + identity.String() + `","connections":[` + strings.TrimSuffix(doc, "}") + `,"sealed":"` +
			base64.StdEncoding.EncodeToString(sealed.Bytes()) + `"}]}`
		for who, key := range map[string]string{"operator": w.personsKey(op), "administrator": w.admin} {
			if a := w.do(key, "POST", planPath+"apply", body); a.status != http.StatusUnprocessableEntity {
				t.Errorf("%s, %s: %d %s", name, who, a.status, a.body)
			}
		}
	}
	c, err := w.store.ConnectionNamed(t.Context(), "mine")
	if host, _ := c.Settings.(adapters.ServerSettings).Server(); err != nil || host == evil {
		t.Errorf("the stored secret goes to %s; %v", host, err)
	}
}

func TestMigrateByAPI(t *testing.T) {
	t.Parallel()
	w, sb, doc := testWorld(t)
	w.want(w.do(w.admin, "POST", "/v1/connections", doc), http.StatusCreated)
	graph, err := sandbox.ConnectionJSON(sb.GraphConnection("erp@contoso.it"))
	w.must(err)
	var settings map[string]any
	w.must(json.Unmarshal(graph, &settings))
	delete(settings, "name")
	const path = "/v1/connections/Sandbox%20SMTP/migrate"
	body := func() map[string]any { return map[string]any{"to": "graph", "connection": settings} }
	w.want(w.do(w.admin, "POST", path+"/undo", nil), http.StatusConflict)
	secret := settings["graph"].(map[string]any)["client_secret"]
	settings["graph"].(map[string]any)["client_secret"] = "wrong"
	if a := w.want(w.do(w.admin, "POST", path, body()), http.StatusUnprocessableEntity); !strings.Contains(string(a.body), "test_failed") {
		t.Errorf("%s", a.body)
	}
	settings["graph"].(map[string]any)["client_secret"] = secret
	var done struct {
		Connection struct {
			Name     string
			Fallback []string
		}
		Removed bool
		Test    *view.ConnectionTest
	}
	w.want(w.do(w.admin, "POST", path, body()), http.StatusOK).into(t, &done)
	if done.Connection.Name != "Sandbox SMTP (graph)" || done.Connection.Fallback[0] != "Sandbox SMTP" || done.Test == nil || !done.Test.OK {
		t.Errorf("%+v", done)
	}
	w.want(w.do(w.admin, "POST", path, body()), http.StatusConflict)
	w.want(w.do(w.admin, "POST", path+"/undo", nil), http.StatusOK).into(t, &done)
	if done.Connection.Name != "Sandbox SMTP" || !done.Removed {
		t.Errorf("%+v", done)
	}
}
