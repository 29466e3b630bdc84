package smtpd_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/app"
)

// An explanation says why a way differs from Postfix alone, for the dialogues
// whose name begins so.
type explanation struct {
	dialogue string
	ways     string // letters
	why      string
}

func explanations() []explanation {
	const strict = "postino refuses bare line ends and closes where the end is not certain; Postfix mends the former (smtpd_forbid_bare_newline = normalize)"
	return []explanation{
		{"bare-lf/", "bcd", strict}, {"bare-cr/", "bcd", strict}, {"lf-dot-lf/", "bcd", strict}, {"lf-dot-crlf/", "bcd", strict}, {"cr-dot-cr/", "bcd", strict}, {"crcrlf/", "bcd", strict},
		{"nul/", "bcd", "postino refuses NUL (RFC 5321 section 4.5.2 leaves it to the server), Postfix takes it"},
		{"999/", "bcd", "a line over 998 octets is encoded by postino and broken by Postfix"}, {"5000/", "bcd", "likewise"},
		{"mail/size-text", "bcd", "postino refuses a SIZE that is no number, as Postfix does: the second MAIL of no one follows"},
		{"mail/ret-", "bcd", "what serves reports alone costs postino no mail; Postfix refuses it with 501"},
		{"rcpt/notify-", "bcd", "likewise"}, {"rcpt/orcpt-no-type", "bcd", "likewise"},
	}
}

// TestGarden: what Postfix and postino make of the same dialogues, alone and
// through one another, differs nowhere without an explanation.
func TestGarden(t *testing.T) {
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("a real Postfix: set POSTINO_PEERS=1")
	}
	list := dialogues()
	if len(list) < 300 {
		t.Fatalf("only %d dialogues", len(list))
	}
	sink := newGardenSink(t)
	_, sinkPort, err := net.SplitHostPort(sink.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	alone := startPostfix(t, sinkPort)
	postino := startGarden(t, map[string]string{"b": sinkPort, "c": sinkPort, "d": alone})
	ways := map[string]string{"a": alone, "b": postino, "c": startPostfix(t, postino), "d": postino}
	type result struct {
		way string
		n   int
	}
	taken := map[result]int{}
	var mu sync.Mutex
	var running sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, d := range list {
		for way, port := range ways {
			running.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				n := converse(t, d, port, gardenNames(i, way))
				mu.Lock()
				defer mu.Unlock()
				taken[result{way, i}] = n
			})
		}
	}
	running.Wait()
	settled(sink)
	used := map[explanation]bool{}
	for i, d := range list {
		want := plainOf(sink, i, "a")
		for _, way := range []string{"b", "c", "d"} {
			got := plainOf(sink, i, way)
			if slices.Equal(got, want) {
				continue
			}
			explained := false
			for _, e := range explanations() {
				if strings.HasPrefix(d.name, e.dialogue) && strings.Contains(e.ways, way) {
					used[e], explained = true, true
				}
			}
			if !explained {
				t.Errorf("%s by way %s: Postfix took %d, this took %d\n got %.600q\nwant %.600q", d.name, way, taken[result{"a", i}], taken[result{way, i}], got, want)
			}
		}
		if len(plainOf(sink, i, "b")) != taken[result{"b", i}] {
			t.Errorf("%s: postino acknowledged %d messages, %d arrived", d.name, taken[result{"b", i}], len(plainOf(sink, i, "b")))
		}
	}
	for _, e := range explanations() {
		if !used[e] {
			t.Errorf("nothing differs by %q any more", e.dialogue)
		}
	}
	t.Logf("%d dialogues by %d ways, %d messages", len(list), len(ways), len(sink.got))
}

func gardenNames(i int, way string) *strings.Replacer {
	tag := fmt.Sprintf("g%03d%s", i, way)
	return strings.NewReplacer("TAG", tag, "FROM", way+"@contoso.example", "TO:<", "TO:<", "TO:", "TO:", "TO", tag+"@example.com", "CC", "cc"+tag+"@example.com")
}

// plainOf is what arrived, without the names of the way.
func plainOf(k *gardenSink, i int, way string) []string {
	tag := fmt.Sprintf("g%03d%s", i, way)
	out := k.arrived(tag)
	for j := range out {
		out[j] = strings.NewReplacer(tag, "TAG", way+"@contoso.example", "FROM").Replace(out[j])
	}
	slices.Sort(out)
	return out
}

// converse plays the client and counts the messages that were acknowledged.
func converse(t *testing.T, d dialogue, port string, names *strings.Replacer) (taken int) {
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Error(err)
		return 0
	}
	r := bufio.NewReader(c)
	last, err := replyOf(r)
	for _, turn := range d.turns {
		if err != nil || turn.hangUp {
			return taken
		}
		if turn.content && last != 354 {
			continue
		}
		text := names.Replace(turn.send)
		if verb, rest, ok := strings.Cut(text, "\r\n"); ok && strings.HasPrefix(verb, "BDAT ") && strings.Contains(turn.send, "TO") {
			text = rechunk(verb, rest)
		}
		if _, err = io.WriteString(c, text); err != nil {
			return taken
		}
		ends := turn.content || strings.Contains(turn.send, " LAST\r\n")
		for i := range turn.replies {
			if last, err = replyOf(r); err != nil {
				return taken
			}
			if ends && last == 250 && (turn.content && i == 0 || !turn.content && i == turn.replies-1) {
				taken++
			}
		}
	}
	if _, err = io.WriteString(c, "QUIT\r\n"); err == nil {
		_, _ = io.Copy(io.Discard, r) // to its end, whatever that is
	}
	return taken
}

// rechunk counts a chunk whose names were put in.
func rechunk(verb, chunk string) string {
	f := strings.Fields(verb)
	f[1] = strconv.Itoa(len(chunk))
	return strings.Join(f, " ") + "\r\n" + chunk
}

func replyOf(r *bufio.Reader) (int, error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if len(line) > 3 && line[3] != '-' {
			return strconv.Atoi(line[:3])
		}
	}
}

// settled waits until nothing more arrives.
func settled(k *gardenSink) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last, same := -1, 0; same < 8; {
		<-tick.C
		k.mu.Lock()
		n := len(k.got)
		k.mu.Unlock()
		if same++; n != last {
			last, same = n, 0
		}
	}
}

// startGarden is postino with a connection for each way's sender.
func startGarden(t *testing.T, ports map[string]string) string {
	t.Helper()
	data := t.TempDir()
	st, err := app.OpenStore(t.Context(), app.Storage{Data: data}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	none := 0
	for way, port := range ports {
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		mode := adapters.DefaultNo
		if way == "b" {
			mode = adapters.DefaultUnrouted
		}
		c := &adapters.Connection{Name: way, Provider: adapters.SMTP, From: way + "@contoso.example", Default: mode,
			SMTP: &adapters.SMTPSettings{Host: "127.0.0.1", Port: n, Encryption: adapters.EncryptionNone}}
		c.Limits.PerMinute = &none
		if _, err := st.PutConnection(t.Context(), time.Now(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan app.Addresses, 1), make(chan error, 1)
	go func() {
		done <- app.Serve(ctx, app.ServeOptions{Data: data, SMTP: []string{"127.0.0.1:0"}, HTTP: "127.0.0.1:0", Stderr: io.Discard,
			Getenv: func(string) string { return "" }, Ready: func(a app.Addresses) { ready <- a }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("serve: %v", err)
		}
	})
	select {
	case a := <-ready:
		_, port, err := net.SplitHostPort(a.SMTP[0])
		if err != nil {
			t.Fatal(err)
		}
		return port
	case err := <-done:
		done <- nil
		t.Fatalf("serve: %v", err)
	}
	return ""
}

// startPostfix starts one that relays to a port, and gives its own.
func startPostfix(t *testing.T, relay string) string {
	t.Helper()
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	if err := errors.Join(err, free.Close()); err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: Postfix runs as another user and must reach it.
	dir, err := os.MkdirTemp("", "postino-relay-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // likewise
		t.Fatal(err)
	}
	script := func(ctx context.Context, action string) {
		c := exec.CommandContext(ctx, filepath.Join("..", "..", "testdata", "peers", "postfix-relay.sh"), action)
		c.Env = append(os.Environ(), "POSTFIX_DIR="+dir, "LISTEN_PORT="+port, "RELAY_PORT="+relay)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("postfix %s: %v: %s", action, err, out)
		}
	}
	t.Cleanup(func() {
		script(context.Background(), "stop")
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	script(t.Context(), "start")
	var d net.Dialer
	for end := time.Now().Add(15 * time.Second); ; {
		c, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return port
		}
		if time.Now().After(end) {
			t.Fatalf("Postfix does not answer: %v", err)
		}
		<-time.After(100 * time.Millisecond)
	}
}
