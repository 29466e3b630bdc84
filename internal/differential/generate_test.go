package differential

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
)

// A sample is one generated message.
type sample struct {
	raw   string   // KEY stands for what tells one submission from another
	kinds []string // dimension=kind of each fragment that is not what well-made mail has
	holds []string // every address in it, normalised
	loose bool     // the message may be refused
	// foreign: of testdata/messages; the parser alone knows what addresses it holds.
	foreign bool
}

type dimension struct {
	name string
	all  []fragment
}

func dimensions() []dimension {
	return []dimension{{"from", froms}, {"to", tos}, {"others", others}, {"subject", subjects}, {"id", ids}, {"date", dates}, {"head", heads},
		{"shape", shapes}, {"label", labels}, {"leaf", leaves}, {"text", texts}, {"boundary", boundaries}, {"name", names}, {"around", arounds}}
}

// generate makes n messages, the same for the same n. Each fragment takes its
// turn as the one oddity; up to three more join it by chance.
func generate(n int) []sample {
	dims := dimensions()
	var turns [][2]int
	for d, dim := range dims {
		for f := range dim.all {
			turns = append(turns, [2]int{d, f})
		}
	}
	rng := rand.New(rand.NewPCG(9, 2231))
	out := make([]sample, 0, n)
	for i := range n {
		chosen := make([]int, len(dims))
		// In the first round each stands alone.
		for range min(i/len(turns), 1) * rng.IntN(4) {
			d := rng.IntN(len(dims))
			chosen[d] = rng.IntN(len(dims[d].all))
		}
		turn := turns[i%len(turns)]
		chosen[turn[0]] = turn[1]
		out = append(out, build(dims, chosen, rng))
	}
	return out
}

func build(dims []dimension, chosen []int, rng *rand.Rand) sample {
	s := sample{holds: []string{"sender@diff.example"}}
	pick := map[string]fragment{}
	for d, dim := range dims {
		f := dim.all[chosen[d]]
		pick[dim.name] = f
		s.holds = append(s.holds, f.holds...)
		s.loose = s.loose || f.loose
		if chosen[d] > 0 {
			s.kinds = append(s.kinds, dim.name+"="+f.kind)
		}
	}
	var fields []string
	for _, name := range []string{"from", "to", "others", "subject", "id", "date", "head"} {
		if t := pick[name].text; t != "" {
			fields = append(fields, t)
		}
	}
	rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	size := 1 + rng.IntN(3000)
	if pick["shape"].kind == "large-file" {
		size = 3 << 20 // beyond what Graph takes as MIME
	}
	file := make([]byte, size)
	for i := range file {
		file[i] = byte(rng.Uint32())
	}
	b := body{shape: pick["shape"], label: pick["label"], leaf: pick["leaf"], text: pick["text"], boundary: pick["boundary"],
		name: pick["name"], around: pick["around"]}
	s.raw = around(strings.Join(fields, "\r\n")+"\r\n"+b.write(file), pick["around"].kind)
	slices.Sort(s.holds)
	s.holds = slices.Compact(s.holds)
	return s
}

// around changes the line ends, and what stands before and after.
func around(raw, kind string) string {
	switch kind {
	case "lf", "lf-binary":
		return strings.ReplaceAll(raw, "\r\n", "\n")
	case "cr":
		return strings.ReplaceAll(raw, "\r\n", "\r")
	case "mixed-ends":
		var b strings.Builder
		for i, line := range strings.SplitAfter(raw, "\r\n") {
			if i%3 == 1 {
				line = strings.Replace(line, "\r\n", "\n", 1)
			}
			b.WriteString(line)
		}
		return b.String()
	case "no-final-end":
		return strings.TrimSuffix(raw, "\r\n")
	case "bom":
		return "\ufeff" + raw
	case "mbox":
		return "From sender@diff.example Sun Nov 29 10:00:00 2026\r\n" + raw
	case "blank-end":
		return raw + "\r\n\r\n\r\n"
	case "leading-empty":
		return "\r\n" + raw
	case "cut":
		return raw[:len(raw)*9/10]
	}
	return raw
}

// withFields puts fields above a message, below what may stand before its header.
func withFields(raw []byte, fields string) []byte {
	at := 0
	if bytes.HasPrefix(raw, []byte("\ufeff")) {
		at = len("\ufeff")
	}
	if bytes.HasPrefix(raw[at:], []byte("From ")) {
		at += bytes.IndexByte(raw[at:], '\n') + 1
	}
	for bytes.HasPrefix(raw[at:], []byte("\r\n")) {
		at += 2
	}
	head, _, _ := bytes.Cut(raw[at:], []byte("\n"))
	if !bytes.HasSuffix(head, []byte("\r")) && bytes.ContainsRune(raw, '\n') {
		fields = strings.ReplaceAll(fields, "\r\n", "\n")
	}
	return slices.Concat(raw[:at], []byte(fields), raw[at:])
}
