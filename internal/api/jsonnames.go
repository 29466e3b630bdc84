package api

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/jsonfield"
)

// A fieldTwice error names a field that an object of JSON has two times. A decoder
// would keep one of the values and lose the other without a word (RFC 8259 section 4).
type fieldTwice struct{ name string }

func (e *fieldTwice) Error() string { return e.message().String() }

func (e *fieldTwice) message() adapters.Text {
	return jsonfield.TwiceMessage(clip(e.name))
}

const (
	maxName  = 512 // bytes of a name that is remembered: no field has a longer one, though all of it be escaped
	fewNames = 12  // that are compared one by one
)

// ownNames is the field in which a client has names of its own: a pair "A" is not a pair "a".
const ownNames = "metadata"

// fieldNames are those of the fields of one object, folded where that makes them the same field.
type fieldNames struct {
	few   []string
	many  map[string]struct{} // all, where there are more than a few
	exact bool                // the same letters alone are the same field
	last  string              // that was added; empty: one that is not remembered
}

func (n *fieldNames) reset(exact bool) { *n = fieldNames{few: n.few[:0], exact: exact} }

// add notes a name as JSON writes it between the quotes; the error is a *fieldTwice.
func (n *fieldNames) add(quoted []byte) error {
	if n.last = ""; len(quoted) > maxName {
		return nil
	}
	name := string(quoted)
	if strings.IndexByte(name, '\\') >= 0 {
		unescaped := ""
		if json.Unmarshal([]byte(`"`+name+`"`), &unescaped) == nil { // what is no JSON is left to the parser
			name = unescaped
		}
	}
	folded := name
	if !n.exact {
		folded = jsonfield.Fold(name)
	}
	n.last = folded
	if n.many == nil {
		if slices.Contains(n.few, folded) {
			return &fieldTwice{name}
		}
		if n.few = append(n.few, folded); len(n.few) > fewNames {
			n.many = make(map[string]struct{}, 2*fewNames)
			for _, f := range n.few {
				n.many[f] = struct{}{}
			}
		}
		return nil
	}
	if _, there := n.many[folded]; there {
		return &fieldTwice{name}
	}
	n.many[folded] = struct{}{}
	return nil
}
