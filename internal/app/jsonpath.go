package app

import "strings"

// setPath sets a member of nested JSON objects, named as in
// adapters.SecretField.Path.
func setPath(tree map[string]any, path, value string) {
	for {
		name, rest, nested := strings.Cut(path, ".")
		if !nested {
			tree[name] = value
			return
		}
		sub, ok := tree[name].(map[string]any)
		if !ok {
			return
		}
		tree, path = sub, rest
	}
}
