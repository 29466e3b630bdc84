package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostile makes bodies, each about n bytes long, that would take far more memory.
func hostile(n int) map[string]func() []byte {
	repeat := func(before, piece, after string) func() []byte {
		return func() []byte {
			return []byte(before + strings.TrimSuffix(strings.Repeat(piece, max(1, (n-len(before)-len(after))/len(piece))), ",") + after)
		}
	}
	numbered := func(before, format, after string) func() []byte {
		return func() []byte {
			var b bytes.Buffer
			b.WriteString(before)
			for i := 0; b.Len() < n; i++ {
				if i > 0 {
					b.WriteByte(',')
				}
				fmt.Fprintf(&b, format, i)
			}
			b.WriteString(after)
			return b.Bytes()
		}
	}
	return map[string]func() []byte{
		"unknown keys":  numbered("{", `"%x":0`, "}"),
		"empty strings": repeat(`{"from":"a@b.it","to":[`, `"",`, `]}`),
		"numbers":       repeat(`{"to":[`, `0,`, `]}`),
		"objects":       repeat(`{"attachments":[`, `{},`, `]}`),
		"arrays":        repeat(`{"attachments":[`, `[],`, `]}`),
		"nested arrays": func() []byte {
			return []byte(`{"headers":{"x":` + strings.Repeat("[", n/2) + strings.Repeat("]", n/2) + `}}`)
		},
		"nested objects":     func() []byte { return []byte(strings.Repeat(`{"a":`, n/6) + "1" + strings.Repeat("}", n/6)) },
		"headers":            numbered(`{"headers":{`, `"%x":""`, "}}"),
		"small objects":      repeat(`{"messages":[`, `{"a":0,"b":{"c":[]}},`, `]}`),
		"escapes":            repeat(`{"subject":"`, `\u0041`, `"}`),
		"one string":         repeat(`{"text":"`, `x`, `"}`),
		"one string, base64": repeat(`{"raw":"`, `QUJD`, `"}`),
		"an open string":     repeat(`{"text":"`, `x`, ``),
		"quotes":             repeat(`{"text":"`, `\"`, `"}`),
		"a long key":         repeat(`{"`, `k`, `":1}`),
		"spaces":             repeat(`{"text":"x"`, " ", `}`),
	}
}

// Eight hostile bodies of 20 MB at once stay within the budget that is stated:
// four times the largest body, and 64 MiB for checking.
func TestHostileJSONAtOnce(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has memory of its own")
	}
	w := newWorld(t, nil)
	makers, bodies := hostile(20<<20-200), map[string][]byte{}
	names := []string{"unknown keys", "empty strings", "numbers", "objects", "nested arrays", "headers", "one string", "small objects"}
	for _, name := range names {
		bodies[name] = makers[name]()
	}
	runtime.GC()
	defer func() { // other tests look at the heap too
		clear(bodies)
		runtime.GC()
	}()
	var base runtime.MemStats
	runtime.ReadMemStats(&base)
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			a := w.do(w.key, "POST", "/v1/messages", io.Reader(bytes.NewReader(bodies[name])), "Content-Type", "application/json")
			if a.status != 422 {
				t.Errorf("%s: %d %.200s", name, a.status, a.body)
			}
		})
	}
	all.Wait()
	close(stop)
	// The collector lets the heap grow to twice what lives.
	if got, most := <-peak, base.HeapAlloc+2*uint64(w.server.submissions.bodies.budget()+checkBudget); got > most {
		t.Errorf("%d MiB of heap at most, %d MiB before; the budget is %d", got>>20, base.HeapAlloc>>20, most>>20)
	}
	w.noSpool()
}

func TestOutline(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxString+100)
	for _, c := range []struct {
		doc, short string
		values     int
		refused    bool
	}{
		{`{"a":1}`, `{"a":1}`, 1, false},
		{`{"a":[1,2,{"b":"\"},[\\"}]}`, `{"a":[1,2,{"b":"\"},[\\"}]}`, 5, false},
		{`["` + long + `","y"]`, `["` + strings.Repeat("A", fillerSize) + `","y"]`, 2, false},
		{`{"` + long + `":"` + long + `"}`, `{"` + strings.Repeat("A", fillerSize) + `":"` + strings.Repeat("A", fillerSize) + `"}`, 1, false},
		{`"` + long, `"` + strings.Repeat("A", fillerSize), 0, false},
		{`"a\`, `"a\`, 0, false},
		{`]]}}`, `]]}}`, 0, false},
		{strings.Repeat("[", maxDepth+1), "", 0, true},
		{strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + "[]", strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) +
			"[]", maxDepth + 1, false},
		{"[" + strings.Repeat("0,", 60), "", 0, true},
		{"", "", 0, false},
	} {
		short, values, err := outline([]byte(c.doc), 50)
		if (err != nil) != c.refused || err == nil && (string(short) != c.short || values != c.values) {
			t.Errorf("%.60s: %.60s, %d values, %v", c.doc, short, values, err)
		}
	}
}

// A decoder would keep one of the values and lose the other.
func TestFieldTwice(t *testing.T) {
	t.Parallel()
	var object []string
	for i := range 3 * fewNames {
		object = append(object, fmt.Sprintf(`"f%d":{"a":1}`, i))
	}
	many := strings.Join(object, ",")
	long := strings.Repeat(`\ud83d\udce7`, 40)
	for doc, twice := range map[string]string{
		`{"to":1,"cc":2}`:                              "",
		`{"to":1,"to":2}`:                              "to",
		`{"to" :1, "cc":"to", "To":2}`:                 "To",
		`{"to":1,"\u0074\u006f":2}`:                    "to",
		`{"kiss":1,"\u212ai\u017fs":2}`:                "\u212ai\u017fs",
		`{"a":{"x":1},"b":{"x":1},"c":["x","x"]}`:      "",
		`{"a":[{"x":1,"y":[{"x":2}]},{"x":1}]}`:        "",
		`{"a":[{"x":1,"y":[{"x":2}],"x":3}]}`:          "x",
		`{"headers":{"X-A":"1","x-a":"2"}}`:            "x-a",
		`{"metadata":{"A":"1","a":"2"},"a":1,"A":2}`:   "A",
		`{"metadata":{"A":"1","a":"2"},"a":1}`:         "",
		`{"Metadata":{"A":"1","\u0041":"2"}}`:          "A",
		`{"metadata":[{"a":1,"A":2}]}`:                 "A",
		`{"a":{"metadata":{"a":1,"A":{"b":1,"B":2}}}}`: "B",
		"{" + many + "}":                               "",
		"{" + many + `,"F0":1}`:                        "F0",
		"[{" + many + `},{"f0":1}]`:                    "",
		`{"` + strings.Repeat("x", 300) + `":1,"b"}`:   "",
		`{"a":"a","b":{},"a`:                           "a",
		`["a","a"]`:                                    "",
		// a name of the longest key of metadata, each of its letters escaped as a pair of surrogates
		`{"` + long + `":1,"` + long + `":2}`: strings.Repeat("\U0001f4e7", 40),
	} {
		_, _, err := outline([]byte(doc), 1000)
		var e *fieldTwice
		if errors.As(err, &e); e == nil && twice != "" || e != nil && e.name != twice {
			t.Errorf("%.80s: %v, want %q", doc, err, twice)
		}
	}
	w := newWorld(t, nil)
	const doc = `{"name":"x","smtp":{"host":"a.example"},"Name":"y"}`
	for path, status := range map[string]int{"/v1/connections": 422, "/v1/clients": 400} {
		if a := w.do(w.admin, "POST", path, doc); a.status != status || !strings.Contains(string(a.body), "Name is there more than once") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// What is valid stays so without its long strings, and what is not stays so too.
func FuzzOutline(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x"]}`, `"\u0041`, `[[]]`, `{"a":"` + strings.Repeat(`\"`, maxString) + `"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		short, values, err := outline(doc, 1000)
		if err != nil {
			return
		}
		if json.Valid(doc) && !json.Valid(short) {
			t.Fatalf("%q became %q", doc, short)
		}
		if len(short) > len(doc) || values > 1000 {
			t.Fatalf("%d of %d bytes, %d values", len(short), len(doc), values)
		}
	})
}
