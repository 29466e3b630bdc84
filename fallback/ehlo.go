package fallback

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

// A capabilities is what the server offered in its last EHLO reply.
type capabilities struct {
	ext    map[string]string // upper-case keyword to parameters
	auth   []string          // upper-case mechanisms
	greets string            // the first line, as the server sent it: not for showing
}

func (c capabilities) has(ext string) bool { _, ok := c.ext[ext]; return ok }

// size is the limit that SIZE announces (RFC 1870 section 4), 0 when there is none.
func (c capabilities) size() int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(c.ext["SIZE"]), 10, 64)
	if err != nil || n < 0 {
		return 0 // "SIZE" without a number announces no limit
	}
	return n
}

// parseEHLO reads the reply to EHLO (RFC 5321 section 4.1.1.1). The first line is the greeting.
func parseEHLO(r reply) capabilities {
	c := capabilities{ext: make(map[string]string)}
	if len(r.Lines) > 0 {
		c.greets = r.Lines[0]
	}
	for _, line := range r.Lines[min(1, len(r.Lines)):] {
		word, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		word = strings.ToUpper(word)
		if legacy, ok := strings.CutPrefix(word, "AUTH="); ok { // old Exchange and sendmail
			word, params = "AUTH", legacy+" "+params
		}
		if word == "AUTH" {
			for _, m := range strings.Fields(strings.ToUpper(params)) {
				if !slices.Contains(c.auth, m) {
					c.auth = append(c.auth, m)
				}
			}
		}
		if word != "" {
			c.ext[word] = params
		}
	}
	return c
}

// ehloName is the name to greet with: the wanted one, else an address literal
// when it is no full domain name (RFC 5321 sections 2.3.5 and 4.1.3).
func ehloName(wanted string, local net.Addr) string {
	if wanted != "" && isDomain(wanted) {
		return wanted
	}
	if a, ok := local.(*net.TCPAddr); ok {
		if v4 := a.IP.To4(); v4 != nil {
			return "[" + v4.String() + "]"
		}
		return "[IPv6:" + a.IP.String() + "]"
	}
	return "[127.0.0.1]"
}

func isDomain(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}
