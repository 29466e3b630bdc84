// Package table reads and writes tables as spreadsheets and ERPs exchange them: CSV
// in their encodings, with their separators, and without cells that a spreadsheet
// takes for formulas.
package table

import (
	"bytes"
	"encoding/csv"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	utf16 "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Bounds of a table.
const (
	MostBytes = 16 << 20
	MostRows  = 100_000
)

// separators are those of cells, of two that a table has as often the first.
const separators = ";\t,|"

// IsSeparator reports what may stand between cells.
func IsSeparator(s string) bool { return len(s) == 1 && strings.Contains(separators, s) }

// Read reads a whole table as UTF-8 text: it may be in UTF-8, UTF-16 or
// Windows-1252. The error is that of r, or says that it is too large.
func Read(r io.Reader) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MostBytes+1))
	if err != nil {
		return "", err
	}
	if len(raw) > MostBytes {
		return "", texterr.New(mime.NewText("table.too_large", "the table is larger than {size} MiB", "size", MostBytes>>20))
	}
	return decode(raw)
}

// decode makes UTF-8 of a file.
func decode(raw []byte) (string, error) {
	var t transform.Transformer
	switch {
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		raw = raw[3:]
	case bytes.HasPrefix(raw, []byte("\xff\xfe")), len(raw) >= 4 && raw[1] == 0 && raw[3] == 0:
		t = utf16.UTF16(utf16.LittleEndian, utf16.UseBOM).NewDecoder()
	case bytes.HasPrefix(raw, []byte("\xfe\xff")), len(raw) >= 4 && raw[0] == 0 && raw[2] == 0:
		t = utf16.UTF16(utf16.BigEndian, utf16.UseBOM).NewDecoder()
	case !utf8.Valid(raw):
		t = charmap.Windows1252.NewDecoder()
	}
	if t == nil {
		return string(bytes.ToValidUTF8(raw, []byte("?"))), nil
	}
	out, _, err := transform.Bytes(t, raw)
	return string(out), err
}

// A Reader reads records of a table.
type Reader struct {
	*csv.Reader
	first int // lines that were taken away
}

// NewReader reads a text; its separator is the one of ; , tab and | that its
// first lines have most of. Records may differ in length; quotes in the middle of
// a cell are part of it. The line "sep=;" of Excel is read over.
func NewReader(text string) *Reader {
	first := 0
	var sep rune
	if line, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(strings.ToLower(line), "sep=") {
		text, first = rest, 1
		if mark := strings.TrimRight(line[4:], "\r"); IsSeparator(mark) {
			sep = rune(mark[0])
		}
	}
	if sep == 0 {
		sep = separator(text)
	}
	r := csv.NewReader(strings.NewReader(strings.ReplaceAll(text, "\r\n", "\n")))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = sep, true, -1, true
	return &Reader{r, first}
}

// Line is the line of the file on which the last record began, from 1 on.
func (r *Reader) Line() int {
	line, _ := r.FieldPos(0)
	return line + r.first
}

// separator is the one that the first lines have most of.
func separator(text string) rune {
	best, most := ';', 0
	head := text[:min(len(text), 64<<10)]
	for _, c := range separators {
		if n := strings.Count(head, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// Words splits the name of a column into words without accents, in lower case:
// "Porta-SMTP", "smtpPort" and "PORTA_SMTP".
func Words(cell string) (out []string) {
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, b.String())
			b.Reset()
		}
	}
	lower := false
	for _, c := range norm.NFD.String(cell) {
		switch {
		case unicode.Is(unicode.Mn, c):
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			flush()
			lower = false
		default:
			if unicode.IsUpper(c) && lower {
				flush()
			}
			lower = unicode.IsLower(c)
			b.WriteRune(unicode.ToLower(c))
		}
	}
	flush()
	return out
}
