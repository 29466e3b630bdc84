package smtpd_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
)

// An explanation says why some ways differ from Postfix alone in the dialogues
// that begin so, and how many messages arrive by them.
type explanation struct {
	dialogue string
	ways     string // letters
	arrive   int
	why      string
}

func explanations() []explanation {
	const (
		strict = "postino refuses bare line ends, and closes where the end is not certain; Postfix mends them (smtpd_forbid_bare_newline = " +
			"normalize)"
		nul     = "postino refuses NUL (RFC 5322 section 2.3), Postfix takes it"
		long    = "a line over 998 octets is encoded by postino and broken by Postfix"
		reports = "what serves reports alone costs postino no mail, Postfix refuses it with 501"
	)
	return []explanation{
		{"bare-lf/", "bd", 0, strict}, {"bare-cr/", "bd", 0, strict}, {"lf-dot-lf/", "bd", 0, strict}, {"lf-dot-crlf/", "bd", 0, strict},
		{"cr-dot-cr/", "bd", 0, strict}, {"crcrlf/", "bd", 0, strict}, {"nul/", "bcd", 0, nul}, {"999/", "bd", 1, long}, {"5000/", "bd", 1, long},
		{"mail/ret-", "bd", 1, reports}, {"mail/envid-bad", "bd", 1, reports}, {"rcpt/notify-", "bd", 1, reports},
		{"rcpt/orcpt-no-type", "bd", 1, reports},
	}
}

// TestSameAsPostfix: what Postfix and postino make of the same dialogues, alone and
// through one another, differs nowhere without an explanation.
func TestSameAsPostfix(t *testing.T) {
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("a real Postfix: set POSTINO_PEERS=1")
	}
	list := dialogues()
	if len(list) < 300 {
		t.Fatalf("only %d dialogues", len(list))
	}
	sink := newRecordingServer(t)
	_, sinkPort, err := net.SplitHostPort(sink.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	alone := startPostfix(t, sinkPort)
	postino := startPostino(t, map[string]string{"b": sinkPort, "c": sinkPort, "d": alone})
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
				n := converse(t, d, port, dialogueNames(i, way))
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
				if strings.HasPrefix(d.name, e.dialogue) && strings.Contains(e.ways, way) && len(got) == e.arrive {
					used[e], explained = true, true
				}
			}
			if !explained {
				t.Errorf("%s by way %s: Postfix took %d, this took %d\n got %.600q\nwant %.600q", d.name, way, taken[result{"a", i}],
					taken[result{way, i}], got, want)
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

func dialogueNames(i int, way string) *strings.Replacer {
	tag := fmt.Sprintf("g%03d%s", i, way)
	return strings.NewReplacer("{tag}", tag, "{from}", way+"@contoso.example", "{to}", tag+"@example.com", "{cc}", "cc"+tag+"@example.com")
}

// plainOf is what arrived, without the names of the way.
func plainOf(k *recordingServer, i int, way string) []string {
	tag := fmt.Sprintf("g%03d%s", i, way)
	out := k.arrived(tag)
	for j := range out {
		out[j] = strings.NewReplacer(tag, "{tag}", way+"@contoso.example", "{from}").Replace(out[j])
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
		text := recount(names.Replace(turn.send))
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

// recount gives a chunk the size that it has with its names.
func recount(text string) string {
	at := strings.Index(text, "BDAT ")
	if at < 0 {
		return text
	}
	verb, chunk, _ := strings.Cut(text[at:], "\r\n")
	f := strings.Fields(verb)
	f[1] = strconv.Itoa(len(chunk))
	return text[:at] + strings.Join(f, " ") + "\r\n" + chunk
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
func settled(k *recordingServer) {
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

// startPostino is postino with a connection for each way's sender.
func startPostino(t *testing.T, ports map[string]string) string {
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
		mode := gateway.DefaultNo
		if way == "b" {
			mode = gateway.DefaultUnrouted
		}
		c := &gateway.Connection{Connection: adapters.Connection{Name: way, Provider: adapters.SMTP, From: way + "@contoso.example",
			Settings: &fallback.Settings{Host: "127.0.0.1", Port: n, Encryption: fallback.EncryptionNone}}, Policy: gateway.Policy{Default: mode}}
		c.Limits.PerMinute = &none
		if _, err := st.PutConnection(t.Context(), time.Now(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(serve(t, app.ServeOptions{Data: data}).SMTP[0])
	if err != nil {
		t.Fatal(err)
	}
	return port
}
