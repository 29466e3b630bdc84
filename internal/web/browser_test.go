package web

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/store"
)

// axeVersion is of axe-core, which npm fetches.
const axeVersion = "4.14.1"

// A chrome is one headless Chromium. Screenshots go to the folder that
// POSTINO_SCREENSHOTS names; without it they are not taken.
type chrome struct {
	t   testing.TB
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
	return &chrome{t: t, ctx: ctx, axe: axeSource(t)}
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

// A tab is one page of the browser, with cookies of its own.
type tab struct {
	t   testing.TB
	w   *world
	axe string
	ctx context.Context

	mu       sync.Mutex
	faults   []string // objections of the browser: Content-Security-Policy, errors of scripts
	requests []string
	bytes    float64 // on the wire
}

// tab opens a page in which p has signed in; nil: no one.
func (c *chrome) tab(t testing.TB, w *world, p *store.Person) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &tab{t: t, w: w, axe: c.axe, ctx: ctx}
	w.must(chromedp.Listen(ctx, b.hear))
	ask(b, network.Enable, network.EnableParams{})
	ask(b, cdplog.Enable, cdp.Empty{})
	if p != nil {
		in, err := w.people.Begin(context.Background(), p, people.From{Program: "Chromium"})
		w.must(err)
		ask(b, network.SetCookie, network.SetCookieParams{Name: "postino_session", Value: in.Token.Reveal(), URL: w.http.URL,
			HTTPOnly: new(true)})
	}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, f := range b.faults {
			t.Errorf("the browser objects: %s", f)
		}
	})
	return b
}

// hear notes what the browser objects to, and what it loads.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		// The browser logs answers such as 422 and 404, which tests ask for.
		if e.Entry.Source != cdplog.EntrySourceNetwork && (e.Entry.Level == cdplog.EntryLevelError ||
			e.Entry.Source == cdplog.EntrySourceSecurity) {
			b.faults = append(b.faults, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, e.ExceptionDetails.Text+fmt.Sprintf(" %+v", e.ExceptionDetails.Exception))
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *network.EventLoadingFinished:
		b.bytes += e.EncodedDataLength
	}
}

// ask sends the browser a command of its protocol.
func ask[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	out, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// open goes to a path.
func (b *tab) open(path string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(b.w.http.URL+path)); err != nil {
		b.t.Fatal(err)
	}
}

// look sets theme and size; the language is the browser's.
func (b *tab) look(lang, theme string, width, height int64) {
	b.t.Helper()
	ask(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}})
	ask(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	ask(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1,
		Mobile: width < 800})
}

// withoutScript switches scripts off for the pages that are opened from now on.
func (b *tab) withoutScript() {
	b.t.Helper()
	ask(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// eval runs a script of the test in the page and returns what it returns.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// quoted is a string as a literal of JavaScript.
func quoted(s string) string {
	b, _ := json.Marshal(s) // a string can always be written
	return string(b)
}

// fill types into the control with a label; a select takes the option with that text.
func (b *tab) fill(label, value string) {
	b.t.Helper()
	missing := eval[string](b, `(() => {
		const l = [...document.querySelectorAll('main label')].find(l => l.textContent.trim() === `+quoted(label)+`);
		const c = l && (l.control || document.getElementById(l.htmlFor));
		if (!c) return [...document.querySelectorAll('main label')].map(l => l.textContent.trim()).join(', ') || 'none';
		if (c.tagName === 'SELECT') c.value = [...c.options].find(o => o.text === `+quoted(value)+` || o.value === `+quoted(value)+`).value;
		else if (c.type === 'checkbox') c.checked = `+quoted(value)+` !== '';
		else c.value = `+quoted(value)+`;
		for (const e of ['input', 'change']) c.dispatchEvent(new Event(e, {bubbles: true}));
		return '';
	})()`)
	if missing != "" {
		b.t.Fatalf("no control is called %q; there are: %s", label, missing)
	}
}

// press presses the button or link with an accessible name, and waits for the page
// behind it where it leads to one.
func (b *tab) press(name string) {
	b.t.Helper()
	find := `[...document.querySelectorAll('button, a, summary')].find(e => e.checkVisibility() &&
		(e.getAttribute('aria-label') || e.textContent).trim() === ` + quoted(name) + `)`
	if !eval[bool](b, `!!(`+find+`)`) {
		b.t.Fatalf("no button is called %q in:\n%s", name, b.text())
	}
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Steps(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[bool](find+`.click() || true`)(ctx, t)
		return chromedp.Void{}, err
	})); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) text() string {
	b.t.Helper()
	return eval[string](b, `document.body.innerText`)
}

// sees waits until texts are shown.
func (b *tab) sees(texts ...string) {
	b.t.Helper()
	deadline := time.After(10 * time.Second)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for _, text := range texts {
		for !strings.Contains(b.text(), text) {
			select {
			case <-deadline:
				b.t.Fatalf("%q is not shown in:\n%s", text, b.text())
			case <-again.C:
			}
		}
	}
}

// check runs axe-core.
func (b *tab) check(name string) {
	b.t.Helper()
	report := eval[string](b, b.axe+`;axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(r.violations.map(v =>
		v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html + ' ' + n.any.map(a => a.message).join('; ')).join(' | '))))`)
	var violations []string
	if err := json.Unmarshal([]byte(report), &violations); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range violations {
		b.t.Errorf("%s: axe: %s", name, v)
	}
}

// fits checks that nothing is wider than the window, and no table of a screen wider
// than its place. A phone's innerWidth grows with
// what does not fit; the width of the document does not.
func (b *tab) fits(name string) {
	b.t.Helper()
	wide := eval[string](b, `(() => {
		const d = document.documentElement;
		const cut = [...document.querySelectorAll('.table')].filter(e => !e.closest('.guide') && e.scrollWidth > e.clientWidth);
		if (cut.length) return 'the table ' + cut[0].innerText.slice(0, 80);
		return d.scrollWidth <= d.clientWidth ? '' : d.scrollWidth + ' px: ' + [...document.querySelectorAll('body *')]
			.filter(e => e.getBoundingClientRect().right > d.clientWidth + 1).slice(-3).map(e => e.outerHTML.slice(0, 120)).join(' | ');
	})()`)
	if wide != "" {
		b.t.Errorf("%s: wider than the window: %s", name, wide)
	}
}

// shot takes a picture of the whole page.
func (b *tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("POSTINO_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture := ask(b, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: new(true)}).Data
	if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// weight forgets what was loaded, opens a path with an empty cache, and returns what
// that took.
func (b *tab) weight(path string) (requests []string, kilobytes float64) {
	b.t.Helper()
	ask(b, network.ClearBrowserCache, cdp.Empty{})
	b.mu.Lock()
	b.requests, b.bytes = nil, 0
	b.mu.Unlock()
	b.open(path)
	eval[bool](b, `new Promise(r => requestIdleCallback(() => r(true)))`)
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.requests...), b.bytes / 1000
}
