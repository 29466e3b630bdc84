package pickup

import (
	"io/fs"
	"path/filepath"
	"time"
)

// A sighting is a file of the folder as it was when it last changed.
type sighting struct {
	info   fs.FileInfo
	since  time.Time
	warned bool
}

// How long, in pauses, a file is watched beyond the first.
const (
	longUnknown = 5  // no one can say whether it is open
	longEmpty   = 30 // nothing in it: a program made it and will open it again
	longOld     = 10 // one that was last changed so long ago is not watched at all
	longOpen    = 300
)

// complete reports a file that no one writes any more. Whoever renames files
// into the folder gives complete ones. Others may still be writing: such a file
// must stay as it is for a pause, and must not be open for writing, where the
// system can say so. What it learns of the file goes into seen.
func (f *folder) complete(now time.Time, info fs.FileInfo, seen map[string]sighting) bool {
	if !f.written || !info.Mode().IsRegular() { // the latter is refused once it is claimed
		return true
	}
	name := filepath.Join(f.root, info.Name())
	s, known := f.seen[name]
	if !known || s.info.Size() != info.Size() || !s.info.ModTime().Equal(info.ModTime()) || links(s.info) != links(info) {
		s = sighting{info: info, since: now}
	}
	age, pause := now.Sub(s.since), f.opt.Pause
	old := now.Sub(info.ModTime()) > longOld*pause
	done := false
	switch {
	case !old && age < pause, info.Size() == 0 && !old && age < longEmpty*pause:
	case links(info) > 1 && age < longUnknown*pause: // a program that gives its file the name with link and unlink
	default:
		switch openBy(name) {
		case openFree:
			done = true
		case openUnknown:
			done = old || age >= longUnknown*pause
		case openWriting:
			if !s.warned && age > longOpen*pause {
				s.warned = true
				f.log.Warn("a file waits in the pickup folder because a program still has it open for writing", "file", name)
			}
		}
	}
	seen[name] = s
	return done
}

// openState is whether a program has a file open for writing.
type openState int

const (
	openUnknown openState = iota // the system does not say
	openFree
	openWriting
)

// openBy asks of a file by name.
func openBy(name string) openState {
	file, err := openFile(name)
	if isBusy(err) {
		return openWriting
	}
	if err != nil {
		return openUnknown // said when it is claimed
	}
	defer file.Close() // read only: nothing to lose
	return writers(file)
}
