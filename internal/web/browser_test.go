package web

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/store"
)

// axeVersion is of axe-core, which npm fetches.
const axeVersion = "4.14.1"

// tabTime bounds what one page of the browser does, so that a test that waits for what
// does not come says where.
const tabTime = 2 * time.Minute

// TestInBrowser has everything that wants a browser: one Chromium, in which each flow has
// cookies of its own. POSTINO_PEERS=1 runs it; POSTINO_SCREENSHOTS names a folder for
// the pictures of all screens.
func TestInBrowser(t *testing.T) {
	t.Parallel()
	c := newChrome(t)
	for _, flow := range []struct {
		name string
		run  func(*testing.T, *chrome)
	}{
		{"start", startFlow},
		{"look", lookFlow},
		{"people", peopleFlow},
		{"mail", mailFlow},
		{"undo", undoFlow},
		{"operator", operatorFlow},
		{"passkey", passkeyFlow},
		{"first passkey", firstPasskeyFlow},
		{"identity provider", providerFlow},
		{"hostile text", hostileFlow},
		{"cross site", crossSiteFlow},
		{"another's", othersFlow},
		{"keyboard", keyboardFlow},
		{"weight", weightFlow},
	} {
		t.Run(flow.name, func(t *testing.T) {
			t.Parallel()
			flow.run(t, c)
		})
	}
}

// withAndWithoutScript runs a flow twice.
func withAndWithoutScript(t *testing.T, run func(t *testing.T, script bool)) {
	t.Helper()
	for name, script := range map[string]bool{"script": true, "no script": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, script)
		})
	}
}

// A chrome is one headless Chromium.
type chrome struct {
	ctx context.Context
	axe string // source of axe-core
}

// newChrome starts Chromium; the test is skipped without POSTINO_PEERS=1.
func newChrome(t testing.TB) *chrome {
	t.Helper()
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("a browser takes its time: POSTINO_PEERS=1 runs it")
	}
	binary := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			binary = p
			break
		}
	}
	if binary == "" {
		t.Fatal("there is no Chromium: install the Debian package chromium")
	}
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(binary), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("hide-scrollbars", true), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), o...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &chrome{ctx: ctx, axe: axeSource(t)}
}

// axeSource fetches axe-core by npm.
func axeSource(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, command := range [][]string{{"npm", "pack", "--silent", "axe-core@" + axeVersion},
		{"tar", "xzf", "axe-core-" + axeVersion + ".tgz"}} {
		c := exec.CommandContext(context.Background(), command[0], command[1:]...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("axe-core cannot be had: %v\n%s", err, out)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "package", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tab opens a page of the server at base, with cookies of its own. What the browser
// objects to fails the test.
func (c *chrome) tab(t testing.TB, base string) *tab {
	t.Helper()
	bounded, cancel := context.WithTimeout(c.ctx, tabTime)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(bounded, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &tab{t: t, base: base, axe: c.axe, ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	ask(b, network.Enable, network.EnableParams{})
	ask(b, cdplog.Enable, cdp.Empty{})
	t.Cleanup(func() {
		for _, f := range b.objections() {
			t.Errorf("the browser objects: %s", f)
		}
	})
	return b
}

// tabOf is tab with a page of w in which p has signed in; nil: no one.
func (c *chrome) tabOf(t testing.TB, w *world, p *store.Person) *tab {
	t.Helper()
	b := c.tab(t, w.http.URL)
	if p != nil {
		in, err := w.people.Begin(context.Background(), p, people.From{Program: "Chromium"})
		w.must(err)
		ask(b, network.SetCookie, network.SetCookieParams{Name: "postino_session", Value: in.Token.Reveal(), URL: w.http.URL,
			HTTPOnly: new(true)})
	}
	return b
}
