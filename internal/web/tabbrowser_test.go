package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
)

// A tab is one page of the browser, with cookies of its own.
type tab struct {
	t    testing.TB
	base string // of the server, without a path
	axe  string
	ctx  context.Context
	dumb bool // pages run no script

	mu       sync.Mutex
	faults   []string // objections of the browser: Content-Security-Policy, errors of scripts
	requests []string
	bytes    float64 // on the wire
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
	case *page.EventJavascriptDialogOpening:
		b.faults = append(b.faults, "a dialogue opens: "+e.Message)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *network.EventLoadingFinished:
		b.bytes += e.EncodedDataLength
	}
}

// objections are what the browser has objected to so far, and forgets them.
func (b *tab) objections() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.faults
	b.faults = nil
	return out
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
	if err := chromedp.Do(b.ctx, chromedp.Navigate(b.base+path)); err != nil {
		b.t.Fatalf("%s: %v", path, err)
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

// desk is how flows look at the page that are not about its look; without script, what
// is opened from now on runs none.
func (b *tab) desk(script bool) {
	b.t.Helper()
	b.look("it", "light", 1280, 800)
	b.scripts(script)
	b.dumb = !script
}

func (b *tab) scripts(on bool) {
	b.t.Helper()
	ask(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
}

// try runs a script of the test in the page and returns what it returns.
func try[T any](b *tab, script string) (T, error) {
	return chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// eval is try, which must succeed.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	out, err := try[T](b, script)
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

// control finds the control with a label.
func control(label string) string {
	return `[...document.querySelectorAll('main label')].filter(l => l.textContent.trim() === ` + quoted(label) + `)
		.map(l => l.control || document.getElementById(l.htmlFor))[0]`
}

// fill types into the control with a label; a select takes the option with that text.
func (b *tab) fill(label, value string) {
	b.t.Helper()
	missing := eval[string](b, `(() => {
		const c = `+control(label)+`;
		if (!c) return [...document.querySelectorAll('main label')].map(l => l.textContent.trim()).join(', ') || 'none';
		for (let d = c.closest('details'); d; d = d.parentElement.closest('details')) d.open = true;
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

// value is what stands in the control with a label.
func (b *tab) value(label string) string {
	b.t.Helper()
	return eval[string](b, control(label)+`?.value ?? 'no control'`)
}

// button finds the button or link with an accessible name that is shown.
func button(name string) string {
	return `[...document.querySelectorAll('button, a, summary')].find(e => e.checkVisibility() &&
		(e.getAttribute('aria-label') || e.textContent).trim() === ` + quoted(name) + `)`
}

// press presses the button or link with an accessible name, and waits for the page to
// which it leads.
func (b *tab) press(name string) {
	b.t.Helper()
	b.until(fmt.Sprintf("there is %q", name), func() bool { return eval[bool](b, `!!`+button(name)) })
	b.pressIt(name, button(name))
}

// pressOn is press with the first that fits a CSS selector.
func (b *tab) pressOn(selector string) {
	b.t.Helper()
	b.pressIt(selector, `document.querySelector(`+quoted(selector)+`)`)
}

func (b *tab) pressIt(name, element string) {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Steps(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		found, err := chromedp.Evaluate[bool](`(e => { e?.click(); return !!e; })(`+element+`)`)(ctx, t)
		if err == nil && !found {
			err = errors.New("there is none")
		}
		return chromedp.Void{}, err
	})); err != nil {
		b.t.Fatalf("%q: %v in:\n%s", name, err, b.text())
	}
}

// tap presses a button that leads to no other page, or to one that is not whole at once.
func (b *tab) tap(name string) {
	b.t.Helper()
	b.tapIt(name, button(name))
}

// tapOn is tap with the first that fits a CSS selector.
func (b *tab) tapOn(selector string) {
	b.t.Helper()
	b.tapIt(selector, `document.querySelector(`+quoted(selector)+`)`)
}

func (b *tab) tapIt(name, element string) {
	b.t.Helper()
	if !eval[bool](b, `(e => { e?.click(); return !!e; })(`+element+`)`) {
		b.t.Fatalf("no button is called %q in:\n%s", name, b.text())
	}
}

func (b *tab) text() string {
	b.t.Helper()
	out, err := try[string](b, `document.body?.innerText ?? ''`)
	if err != nil && b.ctx.Err() == nil { // between two pages there is none
		return ""
	}
	return out
}

// sees waits until texts are shown.
func (b *tab) sees(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		b.until(fmt.Sprintf("%q is shown", text), func() bool { return strings.Contains(b.text(), text) })
	}
}

// until waits for something of the page.
func (b *tab) until(what string, holds func() bool) {
	b.t.Helper()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(30 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-deadline:
			b.t.Fatalf("it does not come to this: %s. At %s:\n%s", what, b.at(), b.text())
		case <-again.C:
		}
	}
}

// at is the path of the page, with its query.
func (b *tab) at() string {
	b.t.Helper()
	out, err := try[string](b, `location.pathname + location.search`)
	if err != nil {
		return ""
	}
	return out
}

// hides checks that texts are not shown.
func (b *tab) hides(texts ...string) {
	b.t.Helper()
	seen := b.text()
	for _, text := range texts {
		if strings.Contains(seen, text) {
			b.t.Errorf("%q is shown in:\n%s", text, seen)
		}
	}
}

// check runs axe-core.
func (b *tab) check(name string) {
	b.t.Helper()
	if b.dumb { // axe waits, which is a script's
		b.scripts(true)
		defer b.scripts(false)
	}
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
	// What stands in a frame is painted only where it is seen: the window becomes as high
	// as the page.
	size := eval[[]int64](b, `[innerWidth, Math.max(innerHeight, document.documentElement.scrollHeight)]`)
	ask(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: size[0], Height: size[1],
		DeviceScaleFactor: 1, Mobile: size[0] < 800})
	picture := ask(b, page.CaptureScreenshot, page.CaptureScreenshotParams{OptimizeForSpeed: new(true)}).Data
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
	return slices.Clone(b.requests), b.bytes / 1000
}
