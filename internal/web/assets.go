package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	paths "path"
	"strconv"
	"strings"
	"sync"
)

//go:embed assets compressed
var assetFiles embed.FS

// scripts are sent as one file, in this order. htmx 4.0.1 and its extension for
// server-sent events are those of npm's htmx.org (Zero-Clause BSD).
var scripts = [...]string{"htmx.min.js", "hx-sse.min.js", "page.js"}

// assets are the files of the page, under names made of what is in them, so that
// browsers may keep them for ever.
type assets struct {
	byName map[string]string // of the file: the path
	byPath map[string]*asset
}

type asset struct {
	mediaType string
	plain     []byte
	smaller   func() packed // made at the first request
}

// packed is a file as browsers take it; brotli is nil where compressed/ has none
// of this content.
type packed struct{ brotli, gzip []byte }

func newAssets() *assets {
	a := &assets{byName: map[string]string{}, byPath: map[string]*asset{}}
	var script []byte
	for _, name := range scripts {
		script = append(append(script, a.read(name)...), '\n')
	}
	a.add("page.js", "text/javascript; charset=utf-8", script)
	a.add("style.css", "text/css; charset=utf-8", a.read("style.css"))
	a.add("icons.svg", "image/svg+xml", a.read("icons.svg"))
	a.add("icon.svg", "image/svg+xml", a.read("icon.svg"))
	return a
}

// read returns an embedded file; one that is not there is empty, and a test finds it.
func (a *assets) read(name string) []byte {
	b, err := fs.ReadFile(assetFiles, "assets/"+name)
	if err != nil {
		return nil
	}
	return b
}

func (a *assets) add(name, mediaType string, content []byte) {
	sum := sha256.Sum256(content)
	p := "/assets/" + hex.EncodeToString(sum[:8]) + paths.Ext(name)
	a.byName[name] = p
	a.byPath[p] = &asset{mediaType: mediaType, plain: content, smaller: sync.OnceValue(func() packed { return pack(p, content) })}
}

// path is the address of a file.
func (a *assets) path(name string) string { return a.byName[name] }

// icon is a symbol of icons.svg; a word stands beside it wherever it means something.
func (a *assets) icon(name string) template.HTML {
	//nolint:gosec // both parts are this program's own
	return template.HTML(`<svg class="icon" width="16" height="16" aria-hidden="true"><use href="` + a.path("icons.svg") + `#` +
		template.HTMLEscapeString(name) + `"></use></svg>`)
}

// ServeHTTP implements http.Handler.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := a.byPath[r.URL.Path]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.mediaType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := f.plain
	if p := f.smaller(); p.brotli != nil && accepts(r, "br") {
		body = p.brotli
		h.Set("Content-Encoding", "br")
	} else if accepts(r, "gzip") {
		body = p.gzip
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader that left needs no report
	}
}

// pack makes the smaller forms of a file. Brotli's is embedded: its encoder would
// make the program half a megabyte larger. Writing to memory does not fail.
func pack(path string, content []byte) packed {
	br, err := fs.ReadFile(assetFiles, brotliFile(path))
	if err != nil {
		br = nil
	}
	var gz bytes.Buffer
	g, err := gzip.NewWriterLevel(&gz, gzip.BestCompression)
	if err != nil {
		return packed{brotli: br, gzip: content}
	}
	_, _ = g.Write(content)
	_ = g.Close()
	return packed{brotli: br, gzip: gz.Bytes()}
}

// brotliFile is the embedded file with the brotli form of what is at path. Its
// name has the hash of the content, so that it cannot be of another one; after a
// change of assets, go test ./internal/web -run TestAssets -update makes them.
func brotliFile(path string) string { return "compressed/" + paths.Base(path) + ".br" }

// accepts reports whether the reader takes a content coding (RFC 9110 section 12.5.3).
func accepts(r *http.Request, coding string) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && !strings.HasPrefix(q, "q=0.000")
		}
	}
	return false
}

// compressed sends a screen, smaller where the reader takes that.
func compressed(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	if len(body) > 1024 && accepts(r, "gzip") {
		var b bytes.Buffer
		g, err := gzip.NewWriterLevel(&b, 5)
		if err != nil {
			return err
		}
		if _, err := g.Write(body); err != nil {
			return err
		}
		if err := g.Close(); err != nil {
			return err
		}
		w.Header().Set("Content-Encoding", "gzip")
		body = b.Bytes()
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader that left needs no report
	}
	return nil
}
