package graph

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// TestAttachmentSizes: "3 MB" is a different number for everybody.
func TestAttachmentSizes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{sessionMin - 1, sessionMin, 3<<20 - 1, 3 << 20, chunkSize + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			f, a, _ := newLargeFake(t)
			_, err := a.Send(t.Context(), oneFile(t, n))
			f.mu.Lock()
			defer f.mu.Unlock()
			if err != nil {
				t.Fatal(err, f.ops)
			}
			if got := f.files["a.pdf application/pdf false <nil>"]; got != string(blob(n, 7)) {
				t.Errorf("%d octets arrived", len(got))
			}
		})
	}
}

// TestChunkTrouble: chunks are sent again from where the server says.
func TestChunkTrouble(t *testing.T) {
	t.Parallel()
	const chunk = 11_000
	const n = 3*chunk + 17
	out := oneFile(t, n)
	for _, c := range []struct {
		name string
		hook func(f *largeFake) func(op string, n int, w http.ResponseWriter, r *http.Request) bool
	}{
		{"503 before", func(f *largeFake) func(string, int, http.ResponseWriter, *http.Request) bool {
			return func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
				if op == "chunk" && n == 2 {
					_, _ = io.Copy(io.Discard, r.Body)
					f.fail(w, 503, "ServiceUnavailable")
					return true
				}
				return false
			}
		}},
		{"answer lost", func(f *largeFake) func(string, int, http.ResponseWriter, *http.Request) bool {
			return func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
				if op == "chunk" && n == 2 {
					body, _ := io.ReadAll(r.Body)
					s := f.sessions["0"]
					s.data = append(s.data, body...)
					panic(http.ErrAbortHandler)
				}
				return false
			}
		}},
		{"cut in the middle", func(f *largeFake) func(string, int, http.ResponseWriter, *http.Request) bool {
			return func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
				if op == "chunk" && n == 2 {
					_, _ = io.CopyN(io.Discard, r.Body, 1_000)
					panic(http.ErrAbortHandler)
				}
				return false
			}
		}},
		{"half a chunk kept", func(f *largeFake) func(string, int, http.ResponseWriter, *http.Request) bool {
			return func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
				if op == "chunk" && n == 2 {
					body, _ := io.ReadAll(r.Body)
					s := f.sessions["0"]
					s.data = append(s.data, body[:len(body)/2]...)
					f.json(w, 200, map[string]any{"nextExpectedRanges": []string{fmt.Sprint(len(s.data), "-")}})
					return true
				}
				return false
			}
		}},
		{"throttled", func(f *largeFake) func(string, int, http.ResponseWriter, *http.Request) bool {
			return func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
				if (op == "chunk" || op == "session" || op == "create") && n == 1 {
					_, _ = io.Copy(io.Discard, r.Body)
					w.Header().Set("Retry-After", "1")
					f.fail(w, 429, "ApplicationThrottled")
					return true
				}
				return false
			}
		}},
		{"a new token in between", func(f *largeFake) func(string, int, http.ResponseWriter, *http.Request) bool {
			return func(op string, n int, w http.ResponseWriter, r *http.Request) bool {
				if op == "send" && n == 1 {
					f.fail(w, 401, "InvalidAuthenticationToken")
					return true
				}
				return false
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, a := newSmallFake(t)
			f.hook = c.hook(f)
			_, err := a.Send(t.Context(), out)
			f.mu.Lock()
			defer f.mu.Unlock()
			if err != nil {
				t.Fatal(err, errors.Unwrap(err), f.ops)
			}
			if f.files["a.pdf application/pdf false <nil>"] != string(blob(n, 7)) || f.sent != 1 {
				t.Errorf("the file did not arrive whole: %v", f.ops)
			}
		})
	}
}

func FuzzNextOffset(f *testing.F) {
	for _, s := range []string{`{"nextExpectedRanges":["2097152"]}`, `{"NextExpectedRanges":["2097152-"]}`,
		`{"nextExpectedRanges":["0-5","9-"]}`,
		`{"nextExpectedRanges":[]}`, `{"nextExpectedRanges":["-1"]}`, `{"nextExpectedRanges":["99999999999999999999"]}`, ``, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if n, ok := nextOffset(body, 1000); ok && (n < 0 || n > 1000) {
			t.Errorf("%d", n)
		}
	})
}

func TestNextOffset(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int64{
		`{"ExpirationDateTime":"x","nextExpectedRanges":["2097152"]}`: 2097152,
		`{"nextExpectedRanges":["2097152"]}`:                          2097152,
		`{"nextExpectedRanges":["2097152-"]}`:                         2097152,
		`{"nextExpectedRanges":["2097152-4194303"]}`:                  2097152,
		`{"nextExpectedRanges":["5000000"]}`:                          -1,
		`{"nextExpectedRanges":[]}`:                                   -1,
		``:                                                            -1,
	} {
		n, ok := nextOffset([]byte(body), 4_194_304)
		if !ok {
			n = -1
		}
		if n != want {
			t.Errorf("%s: %d, want %d", body, n, want)
		}
	}
}
