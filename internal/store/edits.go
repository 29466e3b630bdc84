package store

import (
	"strconv"
	"strings"
)

// Edits are the connections that have changed after a version of all of them.
type Edits struct {
	Version int64    // that they lead to
	IDs     []string // added, changed and deleted ones, each once
	// Known is false where the store does not remember all edits since then:
	// long ago, or by a process of an earlier release.
	Known bool
}

// EditsKept is how many bytes of the log of edits the stores keep, the oldest
// line cut off anywhere. A line is the version that an edit led to and the ids of
// what it changed: "12 id,id".
const EditsKept = 8000

// EditsSince reads what a log of edits tells of those after a version, where
// version is the present one.
func EditsSince(log string, since, version int64) Edits {
	out := Edits{Version: version}
	seen := map[string]bool{}
	lines := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
	for v := version; v > since; v-- {
		if len(lines) == 0 {
			return out
		}
		number, ids, ok := strings.Cut(lines[len(lines)-1], " ")
		lines = lines[:len(lines)-1]
		if n, err := strconv.ParseInt(number, 10, 64); err != nil || n != v || !ok {
			return out
		}
		for id := range strings.SplitSeq(ids, ",") {
			if !seen[id] {
				seen[id] = true
				out.IDs = append(out.IDs, id)
			}
		}
	}
	out.Known = version >= since
	return out
}
