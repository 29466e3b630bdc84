package connections

import "strings"

// SetPath puts a value into a document at a path such as smtp.host, making the
// objects on the way.
func SetPath(doc map[string]any, path string, v any) {
	for {
		name, rest, deeper := strings.Cut(path, ".")
		if !deeper {
			doc[name] = v
			return
		}
		next, ok := doc[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			doc[name] = next
		}
		doc, path = next, rest
	}
}

// AtPath returns the value at a path; nil: there is none.
func AtPath(doc map[string]any, path string) any {
	for {
		name, rest, deeper := strings.Cut(path, ".")
		if !deeper {
			return doc[name]
		}
		next, ok := doc[name].(map[string]any)
		if !ok {
			return nil
		}
		doc, path = next, rest
	}
}

// removePath takes the value at a path away.
func removePath(doc map[string]any, path string) {
	for {
		name, rest, deeper := strings.Cut(path, ".")
		if !deeper {
			delete(doc, name)
			return
		}
		next, ok := doc[name].(map[string]any)
		if !ok {
			return
		}
		doc, path = next, rest
	}
}
