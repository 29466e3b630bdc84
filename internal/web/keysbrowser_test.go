package web

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// pressing is the action of pressing keys: the text of a key goes with it, so that a
// page that keeps a key from doing what it does keeps its text out as well.
func pressing(keys string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, r := range keys {
			events, text := kb.Encode(r), ""
			for _, k := range events {
				if k.Type == kb.KeyChar {
					text = k.Text
				}
			}
			for _, k := range events {
				if k.Type == kb.KeyChar {
					continue
				}
				if k.Type == kb.KeyDown {
					k.Text = text
				}
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, *k); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// keys presses keys.
func (b *tab) keys(keys string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, pressing(keys)); err != nil {
		b.t.Fatal(err)
	}
}

// focused is the accessible name of what has the focus, and whether a reader sees that.
func (b *tab) focused() (name string, seen bool) {
	b.t.Helper()
	type focus struct {
		Name string `json:"name"`
		Seen bool   `json:"seen"`
	}
	f := eval[focus](b, `(() => {
		const e = document.activeElement, s = getComputedStyle(e), box = e.getBoundingClientRect();
		const name = e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent;
		return {name: name.trim(), seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && box.width > 1 && box.height > 1};
	})()`)
	return f.Name, f.Seen
}

// reach goes on with the tab key until something with a name has the focus, which
// must be seen all the way.
func (b *tab) reach(name string) {
	b.t.Helper()
	var passed []string
	for range 120 {
		b.keys("\t")
		at, seen := b.focused()
		if !seen && at != "" {
			b.t.Errorf("%s: no ring around %q, which has the focus", b.at(), at)
		}
		if at == name {
			return
		}
		passed = append(passed, at)
	}
	b.t.Fatalf("%s: the tab key does not reach %q: %q", b.at(), name, passed)
}

// enter presses what has the focus, and waits for the page to which it leads.
func (b *tab) enter() {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b.ctx, pressing("\r")); err != nil {
		b.t.Fatal(err)
	}
}

// follow reaches a link or button and presses it.
func (b *tab) follow(name string) {
	b.t.Helper()
	b.reach(name)
	b.enter()
}

// write reaches a control and types.
func (b *tab) write(label, text string) {
	b.t.Helper()
	b.reach(label)
	b.keys(text)
}

// Sign in, a new connection, search, resend and an action on many messages, without a
// mouse.
func keyboardFlow(t *testing.T, c *chrome) {
	w := mailWorld(t)
	for i := range 3 {
		w.send(func(m map[string]any) { m["subject"] = fmt.Sprintf("Fattura %d", i) })
	}
	b := c.tab(t, w.http.URL)
	b.desk(true)
	b.open("/login")
	if at, _ := b.focused(); at != "Indirizzo email" {
		t.Errorf("the focus is on %q", at)
	}
	b.keys(testAdmin)
	b.write("Password", testPassword)
	b.enter()
	b.sees("Panoramica")

	b.keys("\t") // the first is the way past the navigation
	if at, _ := b.focused(); at != "Vai al contenuto" {
		t.Errorf("the first stop is %q", at)
	}
	b.keys("\r\t")
	if at := eval[bool](b, `!!document.activeElement.closest('main')`); !at {
		t.Error("the way past the navigation leads elsewhere")
	}

	b.open("/connections")
	b.follow("Nuova connessione")
	b.follow("SMTP")
	b.write("Nome connessione", "Tastiera")
	b.write("Email mittente", "io@tastiera.example")
	b.write("Server", "127.0.0.1")
	b.follow("Salva")
	b.sees("La connessione è stata creata.", "Tastiera")

	b.open("/mail")
	b.keys("/")
	if at, _ := b.focused(); at != "Cerca" {
		t.Errorf("/ leads to %q", at)
	}
	b.keys("fattura jk?/") // keys of a box are text
	if got := b.value("Cerca"); got != "fattura jk?/" {
		t.Errorf("the box has %q", got)
	}
	b.open("/mail?q=fattura")
	for i, press := range []struct{ key, row string }{{"j", "Fattura 2"}, {"j", "Fattura 1"}, {"j", "Fattura 0"}, {"j", "Fattura 0"},
		{"k", "Fattura 1"}} {
		b.keys(press.key)
		if at, seen := b.focused(); at != press.row || !seen {
			t.Errorf("key %d: the focus is on %q, seen: %v", i, at, seen)
		}
	}
	b.enter()
	b.sees("Che cosa è successo")
	b.follow("Rinvia")
	b.write("Connessione", "Seconda")
	b.follow("Rinvia")
	b.sees("Rinviato: questo è il messaggio nuovo.")

	b.open("/mail?q=fattura")
	b.follow("Annulla")
	b.sees("Annulla 4 messaggi")
	b.follow("Annulla")
	b.sees("Fatto: 4 messaggi.")
	b.keys("?")
	b.until("the help is shown", func() bool { return b.at() == "/help" })
	b.sees("alla casella di ricerca")

	b.look("it", "light", 390, 844)
	b.open("/mail")
	b.reach("Menu")
	b.keys("\r")
	b.until("the menu opens", func() bool { return eval[bool](b, `document.getElementById('nav').matches(':popover-open')`) })
	b.follow("Panoramica")
	b.until("the overview is shown", func() bool { return b.at() == "/" })
	if strings.Contains(b.text(), "Menu") && eval[bool](b, `document.getElementById('nav').matches(':popover-open')`) {
		t.Error("the menu stays open")
	}
}
