package texterr

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/mime"
)

func text(code, english string, args ...any) mime.Text { return mime.NewText(code, english, args...) }

// endOfJSON is what encoding/json says of a document that ends too early, for which it
// has no type.
const endOfJSON = "unexpected end of JSON input"

// system returns what an error of the system or of the standard library means in
// a language other than English, which they have themselves; "" for another one.
func system(err error, lang string) string {
	if locale.Match(lang) == locale.English {
		return ""
	}
	switch e := err.(type) { //nolint:errorlint // In walks the chain itself, an error at a time
	case *fs.PathError:
		return e.Path + ": " + In(e.Err, lang)
	case *os.SyscallError:
		return In(e.Err, lang)
	case *url.Error:
		return e.URL + ": " + In(e.Err, lang)
	case *net.OpError:
		return address(e) + In(e.Err, lang)
	case *net.DNSError:
		if e.IsNotFound {
			return text("system.no_such_host", "{host}: no such host", "host", e.Name).In(lang)
		}
		return text("system.dns", "{host}: DNS does not answer", "host", e.Name).In(lang)
	case *json.SyntaxError:
		if e.Error() == endOfJSON {
			return plain(io.ErrUnexpectedEOF).In(lang)
		}
		return text("system.json_broken", "no valid JSON at byte {offset}", "offset", e.Offset).In(lang)
	case *json.UnmarshalTypeError:
		if e.Field == "" {
			return text("system.json_other", "a value of another kind is expected, not {value}", "value", e.Value).In(lang)
		}
		return text("system.json_kind", "{field}: a value of another kind is expected, not {value}", "field", e.Field, "value",
			e.Value).In(lang)
	case *strconv.NumError:
		return text("system.no_number", "{value} is not a number", "value", strconv.Quote(e.Num)).In(lang)
	}
	if t := plain(err); !t.IsZero() {
		return t.In(lang)
	}
	return ""
}

// address is what a failed call of the network was for.
func address(e *net.OpError) string {
	switch {
	case e.Addr != nil:
		return e.Addr.String() + ": "
	case e.Source != nil:
		return e.Source.String() + ": "
	}
	return ""
}

// plain is the text of an error that is one value and has no details.
func plain(err error) mime.Text {
	name, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	var wrapped interface{ Unwrap() error }
	switch {
	case unknown: // encoding/json has no type for it
		return text("system.json_unknown_field", "unknown field {field}", "field", name)
	case errors.As(err, &wrapped): // In goes on with the cause
		return mime.Text{}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return text("system.cut_short", "it ends too early")
	case errors.Is(err, io.EOF):
		return text("system.end", "it is empty or has ended")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return text("system.timeout", "no answer in time")
	case errors.Is(err, context.Canceled):
		return text("system.cancelled", "interrupted")
	case errors.Is(err, fs.ErrNotExist):
		return text("system.no_such_file", "no such file or folder")
	case errors.Is(err, fs.ErrPermission):
		return text("system.no_permission", "this user has no permission")
	case errors.Is(err, fs.ErrExist):
		return text("system.file_exists", "it exists already")
	case errors.Is(err, syscall.EISDIR):
		return text("system.is_folder", "it is a folder")
	case errors.Is(err, syscall.ENOTDIR):
		return text("system.no_folder", "a part of the path is no folder")
	case errors.Is(err, syscall.ECONNREFUSED):
		return text("system.refused", "connection refused")
	case errors.Is(err, syscall.ECONNRESET):
		return text("system.reset", "connection reset")
	case errors.Is(err, syscall.EADDRINUSE):
		return text("system.address_in_use", "another program uses this address and port")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return text("system.not_our_address", "this machine does not have this address")
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return text("system.unreachable", "there is no way to this address")
	case errors.Is(err, syscall.ENOSPC):
		return text("system.disk_full", "no space is left on the disk")
	case errors.Is(err, syscall.EROFS):
		return text("system.read_only", "the file system is read-only")
	case errors.Is(err, syscall.EMFILE):
		return text("system.too_many_files", "too many files are open")
	}
	return mime.Text{}
}

// A Reason is an error as an argument of a text: in the reader's language, as far as
// its chain has texts.
type Reason struct{ Err error }

// String is the error in English.
func (r Reason) String() string { return r.In(locale.English) }

// In is the error in a language.
func (r Reason) In(lang string) string { return In(r.Err, lang) }
