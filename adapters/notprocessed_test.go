package adapters

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// What a server says it did not process may be sent again; a connection that
// just ends after the request says nothing. The texts of net/http are held
// against real frames.
func TestNotProcessed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*http2.Framer, uint32) error
		want bool
	}{
		{"GOAWAY, no error, stream not seen", func(f *http2.Framer, _ uint32) error { return f.WriteGoAway(0, http2.ErrCodeNo, nil) }, true},
		{"GOAWAY, an error, stream not seen", func(f *http2.Framer, _ uint32) error {
			return f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil)
		}, true},
		{"GOAWAY, stream seen", func(f *http2.Framer, id uint32) error { return f.WriteGoAway(id, http2.ErrCodeNo, nil) }, false},
		{"REFUSED_STREAM", func(f *http2.Framer, id uint32) error { return f.WriteRSTStream(id, http2.ErrCodeRefusedStream) }, true},
		{"INTERNAL_ERROR", func(f *http2.Framer, id uint32) error { return f.WriteRSTStream(id, http2.ErrCodeInternal) }, false},
		{"CANCEL", func(f *http2.Framer, id uint32) error { return f.WriteRSTStream(id, http2.ErrCodeCancel) }, false},
		{"the end", func(*http2.Framer, uint32) error { return nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewUnstartedServer(http.NotFoundHandler())
			srv.TLS = &tls.Config{NextProtos: []string{"h2"}}
			srv.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
				"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) { t.Log(c.name, playH2(conn, c.end)) },
			}
			srv.StartTLS()
			t.Cleanup(srv.Close)
			client := srv.Client()
			client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, io.NopCloser(strings.NewReader("body")))
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = 4
			resp, err := client.Do(req)
			if err == nil {
				_ = resp.Body.Close()
				t.Fatal("an answer came")
			}
			if got := NotProcessed(err); got != c.want {
				t.Errorf("%v: %v, want %v", err, got, c.want)
			}
		})
	}
	if NotProcessed(nil) || NotProcessed(io.ErrUnexpectedEOF) || !NotProcessed(&net.OpError{Op: "x", Err: &proxyError{Status: 407}}) {
		t.Error("plain errors")
	}
}

// playH2 reads one whole request and ends it.
func playH2(conn *tls.Conn, end func(*http2.Framer, uint32) error) error {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return err
	}
	f := http2.NewFramer(conn, conn)
	if err := f.WriteSettings(); err != nil {
		return err
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return err
		}
		h := frame.Header()
		if (h.Type == http2.FrameData || h.Type == http2.FrameHeaders) && h.Flags.Has(http2.FlagDataEndStream) {
			if err := end(f, h.StreamID); err != nil {
				return err
			}
			// Until the client has gone, or the frame is lost with the connection.
			return errors.Join(conn.CloseWrite(), drain(conn))
		}
	}
}

func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}
