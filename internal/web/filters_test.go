package web

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

// A search is kept under a name, taken up again and removed; everyone has their own, and
// those that administrators share.
func TestFilters(t *testing.T) {
	t.Parallel()
	w := mailWorld(t)
	w.send()
	w.get("/mail").want(200).without("Save this search", "Saved searches")
	w.get("/mail?q=offerta").want(200, "Save this search", "For everyone")
	w.post("/mail/filters", "q", "offerta", "filter_name", "").want(422, "Save this search")
	w.post("/mail/filters", "q", "", "filter_name", "Tutto").want(422)
	w.post("/mail/filters", "q", "offerta", "state", "failed", "filter_name", evil).to("/mail?q=offerta+state%3Afailed%2Cexpired")
	a := w.get("/mail").want(200, "The search is saved", "Saved searches", "Remove saved searches").without("<script>alert")
	if !strings.Contains(a.body, `<a href="/mail?q=offerta&#43;state%3Afailed%2Cexpired">`) {
		t.Errorf("there is no link to the search: %s", a.body)
	}
	a = w.get("/mail?q=offerta+state%3Afailed%2Cexpired")
	if !strings.Contains(a.body, `aria-current="true">&#34;&gt;&lt;script`) {
		t.Errorf("the search that is shown is not marked: %s", a.body)
	}
	w.post("/mail/filters", "q", "offerta", "filter_name", "Offerte", "shared", "on").to("/mail?q=offerta")
	w.post("/mail/filters", "q", "fattura", "filter_name", "OFFERTE", "shared", "on").to("/mail?q=fattura") // takes its place
	if p := w.fresh(w.admin.ID); len(p.Filters) != 2 || !p.Filters[1].Shared || p.Filters[1].Query != "fattura" {
		t.Errorf("%+v", p.Filters)
	}

	w.newBrowser()
	w.signIn(w.operator)
	w.get("/mail").want(200, "OFFERTE").without("script&gt;", "Remove saved searches")
	w.get("/mail?q=x").want(200, "Save this search").without("For everyone")
	w.post("/mail/filters", "q", "x", "filter_name", "Mia", "shared", "on").want(403)
	w.post("/mail/filters/remove", "filter", "OFFERTE").to("/mail") // another's stays
	w.post("/mail/filters", "q", "x", "filter_name", "Mia").to("/mail?q=x")
	w.post("/mail/filters/remove", "filter", "Mia", "q", "x").to("/mail?q=x")
	w.get("/mail").want(200, "Removed.", "OFFERTE").without(">Mia<")
	for i := range 50 {
		w.post("/mail/filters", "q", "x", "filter_name", fmt.Sprint("n", i)).to("/mail?q=x")
	}
	w.post("/mail/filters", "q", "x", "filter_name", "n50").want(422, "50")
	w.post("/mail/filters", "q", strings.Repeat("x", 2001), "filter_name", "n1").want(422)

	// Another administrator takes away what is shared, an operator does not, and no one
	// what is not shared.
	w.post("/mail/filters/remove", "filter", "OFFERTE", "person", w.admin.ID).want(403)
	carla := w.person("carla@contoso.it", store.RoleAdmin)
	w.newBrowser()
	w.signIn(carla)
	w.get("/mail").want(200, "OFFERTE", "Shared by others", "of "+testAdmin+", for everyone")
	w.post("/mail/filters/remove", "filter", evil, "person", w.admin.ID).to("/mail")
	if n := len(w.fresh(w.admin.ID).Filters); n != 2 {
		t.Errorf("%d searches are left", n)
	}
	w.post("/mail/filters", "q", "x", "filter_name", "Di Carla", "shared", "on").to("/mail?q=x")
	w.newBrowser()
	w.signIn(w.admin)
	w.post("/mail/filters/remove", "filter", "di carla", "person", carla.ID, "q", "x").to("/mail?q=x")
	w.get("/mail").want(200, "Removed.", "OFFERTE").without("Di Carla")
	w.newBrowser()
	w.signIn(w.operator)

	// Who is no administrator any more shares nothing.
	_, err := w.people.Change(t.Context(), w.admin.ID, func(p *store.Person) error { p.Role = store.RoleOperator; return nil })
	w.must(err)
	w.get("/mail").want(200).without("OFFERTE")
}
