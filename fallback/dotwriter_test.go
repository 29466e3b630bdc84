package fallback

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// stuff writes in in pieces of the given size and ends it, as sendData does.
func stuff(in string, piece int) (string, error) {
	var out bytes.Buffer
	w := bufio.NewWriterSize(&out, 16)
	d := &dotWriter{w: w}
	for len(in) > 0 {
		n := min(piece, len(in))
		for _, part := range []string{in[:n], ""} { // an empty Write changes nothing
			if _, err := d.Write([]byte(part)); err != nil {
				return "", err
			}
		}
		in = in[n:]
	}
	tail, err := d.end()
	if err != nil {
		return "", err
	}
	if seen, err := finish(w, tail); err != nil || !seen {
		return "", errors.Join(err, errors.New("not seen"))
	}
	return out.String(), nil
}

func TestDotWriter(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                      ".\r\n",
		"a":                     "a\r\n.\r\n",
		"a\r\n":                 "a\r\n.\r\n",
		".":                     "..\r\n.\r\n",
		".\r\n":                 "..\r\n.\r\n",
		"..\r\n.\r\na.b\r\n":    "...\r\n..\r\na.b\r\n.\r\n",
		"\r\n.\r\n":             "\r\n..\r\n.\r\n",
		"\r\n\r\n":              "\r\n\r\n.\r\n",
		"long enough for flush": "long enough for flush\r\n.\r\n",
	} {
		for piece := 1; piece <= len(in)+1; piece++ {
			if got, err := stuff(in, piece); err != nil || got != want {
				t.Errorf("%q in pieces of %d: %q, %v, want %q", in, piece, got, err, want)
			}
		}
	}
	for in, at := range map[string]int64{"\n": 0, "\r": 0, "a\nb": 1, "a\r\nb\nc": 4, "a\rb": 1, "a\r\r\n": 1, "ab\r": 2, "\r\n\n": 2,
		"a\r\n.\n": 4, "a\n\r\n": 1, "a\r\n\r": 3} {
		for piece := 1; piece <= len(in); piece++ {
			_, err := stuff(in, piece)
			var le *errLineEnd
			if !errors.As(err, &le) || le.offset != at {
				t.Errorf("%q in pieces of %d: %v, want offset %d", in, piece, err, at)
			}
		}
	}
}

func FuzzDotWriter(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\n", "..\r\n", "\r", "\n", "a\r\n.", "\r\n\r\n.\r\n.."} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, in string, piece int) {
		piece = 1 + (piece&0x7fffffff)%64
		sane := strings.ReplaceAll(in, "\r\n", "")
		bare := strings.ContainsAny(sane, "\r\n")
		out, err := stuff(in, piece)
		if (err != nil) != bare {
			t.Fatalf("%q: %v", in, err)
		}
		var l lineEnds
		_, lerr := io.CopyBuffer(struct{ io.Writer }{&l}, struct{ io.Reader }{strings.NewReader(in)}, make([]byte, piece))
		if lerr == nil {
			lerr = l.end()
		}
		if (lerr != nil) != bare {
			t.Fatalf("lineEnds %q: %v", in, lerr)
		}
		if err != nil {
			return
		}
		back, err := readDotted(bufio.NewReader(strings.NewReader(out)))
		if in != "" && !strings.HasSuffix(in, "\r\n") {
			in += "\r\n"
		}
		if err != nil || back != in {
			t.Fatalf("%q came back as %q, %v", in, back, err)
		}
	})
}

// errWriter takes n bytes and then fails, as a socket does.
type errWriter struct{ n int }

func (w *errWriter) Write(p []byte) (int, error) {
	if len(p) <= w.n {
		w.n -= len(p)
		return len(p), nil
	}
	n := w.n
	w.n = 0
	return n, io.ErrClosedPipe
}

// The outcome is unknown only when every octet of the final dot left.
func TestFinishTellsWhatWasSeen(t *testing.T) {
	t.Parallel()
	const body, tail = "0123456789", ".\r\n"
	for room := 0; room <= len(body)+len(tail); room++ {
		for _, size := range []int{16, 32} {
			w := bufio.NewWriterSize(&errWriter{room}, size)
			if _, err := w.WriteString(body); err != nil {
				t.Fatal(err)
			}
			seen, err := finish(w, tail)
			if want := room == len(body)+len(tail); seen != want || (err == nil) != want {
				t.Errorf("room for %d: seen %v, %v", room, seen, err)
			}
		}
	}
}

func BenchmarkDataWriter(b *testing.B) {
	line := strings.Repeat("A", 76) + "\r\n"
	for name, unit := range map[string]string{"base64": line,
		"text": "Così è.\r\n.\r\n..due\r\nuna riga di lunghezza comune, circa sessanta lettere.\r\n"} {
		block := []byte(strings.Repeat(unit, copyBuffer/len(unit)))
		b.Run(name, func(b *testing.B) {
			d := &dotWriter{w: bufio.NewWriterSize(io.Discard, writeBuffer)}
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Write(block); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
