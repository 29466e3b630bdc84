package pickup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// injected is a file of which the envelope was taken out.
type injected struct {
	envelope mime.Envelope // recipients and DSN wishes, where the file has them
	sender   bool          // it has the sender, which may be the null sender
	rest     io.Reader     // the message
}

// envelopeFields are what .NET (SpecifiedPickupDirectory), IIS SMTP and the
// Replay folder of Exchange write above a message: its envelope, which is not
// part of it, in which alone the hidden recipients stand.
var envelopeFields = [...]string{"X-Sender", "X-Receiver", "X-CreatedBy", "X-EndOfInjectedXHeaders", "X-ExtendedMessageProps",
	"X-HeloDomain",
	"X-Source", "X-SourceIPAddress"}

func isEnvelopeField(name string) bool {
	return slices.ContainsFunc(envelopeFields[:], func(f string) bool { return strings.EqualFold(f, name) })
}

// maxHead bounds the header, as mime.Limits does.
const maxHead = 1 << 20

// readInjected takes the envelope out of a file that begins with a field of it.
// Other files stay as they are: X-Sender further down is a field like others.
func readInjected(r io.Reader) (injected, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var kept, field bytes.Buffer // header without the envelope; the field being read
	var out injected
	first, total := true, 0
	end := func() error {
		raw := field.Bytes()
		name, value, ok := bytes.Cut(raw, []byte(":"))
		label := strings.TrimRight(string(name), " \t")
		if len(raw) > 0 && (!ok || !isEnvelopeField(label)) {
			kept.Write(raw)
		} else if len(raw) > 0 {
			if err := out.take(label, unfolded(value)); err != nil {
				return err
			}
		}
		field.Reset()
		return nil
	}
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return out, err
		}
		total += len(line)
		if first {
			bare := bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
			name, _, ok := bytes.Cut(bare, []byte(":"))
			if !ok || !isEnvelopeField(strings.TrimRight(string(name), " \t")) {
				kept.Write(line)
				out.rest = io.MultiReader(&kept, in)
				return out, nil
			}
			line, first = bare, false
		}
		if total > maxHead {
			return out, refusal("header_too_large", mime.NewText("pickup.header_too_large",
				"the header is larger than {limit} bytes: send to fewer recipients at once", "limit", maxHead))
		}
		empty := len(bytes.TrimRight(line, "\r\n")) == 0
		folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
		if !folded || empty {
			if err := end(); err != nil {
				return out, err
			}
		}
		field.Write(line)
		for errors.Is(err, bufio.ErrBufferFull) && total <= maxHead { // the rest of a long line
			line, err = in.ReadSlice('\n')
			total += len(line)
			field.Write(line)
		}
		if empty || errors.Is(err, io.EOF) {
			if !empty {
				if err := end(); err != nil {
					return out, err
				}
			}
			kept.Write(field.Bytes())
			out.rest = io.MultiReader(&kept, in)
			return out, nil
		}
	}
}

func unfolded(value []byte) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(string(value)))
}

// take understands one field. Its value is an address or a list of them, and
// may have the parameters of RFC 3461 behind an address in angle brackets.
func (i *injected) take(name, value string) error {
	sender := strings.EqualFold(name, "X-Sender")
	if !sender && !strings.EqualFold(name, "X-Receiver") {
		return nil // of interest to Exchange alone
	}
	params := ""
	if strings.HasPrefix(value, "<") {
		if end := strings.IndexByte(value, '>'); end > 0 && end+1 < len(value) && strings.ContainsRune(value[end+1:], '=') {
			value, params = value[:end+1], value[end+1:]
		}
	}
	var list []mime.Address
	if value != "<>" && value != "" {
		var err error
		if list, err = mime.ReadAddresses(value, nil); err != nil {
			return unreadableField(name, value)
		}
	}
	if !sender {
		if len(list) == 0 {
			return unreadableField(name, value)
		}
		for _, a := range list {
			i.envelope.Recipients = append(i.envelope.Recipients, mime.Recipient{Address: a.Address, Notify: notify(params)})
		}
		return nil
	}
	var from mime.Mailbox
	if len(list) > 0 {
		from = list[0].Address
	}
	if len(list) > 1 || i.sender && i.envelope.From != from {
		return refusal("several_senders", mime.NewText("pickup.several_senders", "the file names several senders in X-Sender: a message has one"))
	}
	i.sender, i.envelope.From = true, from
	if ret := mime.Ret(strings.ToUpper(parameter(params, "RET"))); ret.Valid() && ret != "" {
		i.envelope.Ret = ret
	}
	return nil
}

func unreadableField(name, value string) error {
	return refusal("bad_address", mime.NewText("pickup.bad_address", "{field} contains {value}, which is no mail address", "field", name,
		"value", fmt.Sprintf("%.80q", value)))
}

// parameter is the value of KEY=value among words.
func parameter(params, key string) string {
	for _, p := range strings.Fields(params) {
		if k, v, ok := strings.Cut(p, "="); ok && strings.EqualFold(k, key) {
			return v
		}
	}
	return ""
}

// notify is the wish of NOTIFY (RFC 3461 section 4.1); one that cannot be read
// is none, because it serves reports alone.
func notify(params string) (wishes []mime.Notify) {
	value := strings.ToUpper(parameter(params, "NOTIFY"))
	if value == "" {
		return nil
	}
	for w := range strings.SplitSeq(value, ",") {
		wishes = append(wishes, mime.Notify(w))
	}
	if !mime.ValidNotify(wishes) {
		return nil
	}
	return wishes
}
