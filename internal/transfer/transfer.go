// Package transfer writes connections to files and reads them: JSON, TOML and CSV,
// with their secrets left out, sealed to public keys of age, or, where that is asked
// for by name, in the clear.
package transfer

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/BurntSushi/toml"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/jsonfield"
	"github.com/postino-mail/postino/internal/table"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// The formats of files. Auto tells JSON, TOML and CSV apart by their content.
const (
	Auto = ""
	JSON = "json"
	TOML = "toml"
	CSV  = "csv"
)

// Options say how files are read.
type Options struct {
	Identities     []age.Identity // that open sealed secrets
	WithoutSecrets bool           // sealed ones are skipped: what is stored stays
}

// Read reads the connections of one file. Its errors say what is wrong with each.
func (o Options) Read(r io.Reader, format string) ([]connections.Document, error) {
	content, err := io.ReadAll(io.LimitReader(r, table.MostBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > table.MostBytes {
		return nil, texterr.New(mime.NewText("transfer.too_large", "the file is larger than {size} MiB", "size", table.MostBytes>>20))
	}
	if format == Auto {
		format = formatOf(content)
	}
	var trees []map[string]any
	switch format {
	case CSV:
		return o.readCSV(bytes.NewReader(content))
	case TOML:
		trees, err = readTOML(adapters.PlainText(content))
	default:
		trees, err = readJSON(adapters.PlainText(content))
	}
	if err != nil {
		return nil, err
	}
	return o.Documents(trees)
}

// Documents opens the secrets of whole connections that were read as JSON or TOML.
func (o Options) Documents(trees []map[string]any) ([]connections.Document, error) {
	docs := make([]connections.Document, len(trees))
	for i, tree := range trees {
		tree = maps.Clone(tree)
		sealed, has := tree[sealedColumn]
		delete(tree, sealedColumn)
		docs[i].Fields = tree
		if !has || sealed == nil {
			continue
		}
		text, ok := sealed.(string)
		if !ok {
			return nil, texterr.New(mime.NewText("transfer.sealed_corrupt", "the sealed secrets are cut or changed: export them again"))
		}
		var err error
		if docs[i].Sealed, err = o.open(text); err != nil {
			name, _ := tree["name"].(string)
			return nil, texterr.Wrap(mime.NewText("transfer.of_connection", "connection {name}", "name", name), err)
		}
	}
	return docs, nil
}

// formatOf tells by its first character, and by the first line of a table.
func formatOf(content []byte) string {
	text := strings.TrimSpace(string(adapters.PlainText(content)))
	switch {
	case strings.HasPrefix(text, "{"):
		return JSON
	case strings.HasPrefix(text, "[["), strings.HasPrefix(text, "[connection"):
		return TOML
	case strings.HasPrefix(text, "["):
		return JSON
	}
	line, _, _ := strings.Cut(text, "\n")
	if name, _, ok := strings.Cut(line, "="); strings.HasPrefix(line, "#") || ok && !strings.ContainsAny(name, ";,\t|") &&
		!strings.HasPrefix(strings.ToLower(line), "sep=") {
		return TOML
	}
	return CSV
}

// readJSON reads one connection, or an array of them.
func readJSON(content []byte) ([]map[string]any, error) {
	if name, above, twice := jsonfield.Twice(content); twice {
		return nil, texterr.New(jsonfield.TwiceMessage(strings.Join(append(above, name), ".")))
	}
	var many []map[string]any
	if err := json.Unmarshal(content, &many); err == nil && !slices.ContainsFunc(many, func(m map[string]any) bool { return m == nil }) {
		return many, nil
	}
	var one map[string]any
	err := json.Unmarshal(content, &one)
	if err == nil && one != nil {
		return []map[string]any{one}, nil
	}
	t := mime.NewText("transfer.not_connections", "this is no JSON of a connection, nor an array of them")
	if err == nil {
		return nil, texterr.New(t)
	}
	return nil, texterr.Wrap(t, err)
}

// readTOML reads one connection, or the tables [[connection]].
func readTOML(content []byte) ([]map[string]any, error) {
	var doc map[string]any
	if err := toml.Unmarshal(content, &doc); err != nil {
		return nil, texterr.Wrap(mime.NewText("transfer.not_toml", "the file cannot be read as TOML"), err)
	}
	list, ok := doc["connection"]
	if !ok {
		return []map[string]any{doc}, nil
	}
	many, ok := list.([]map[string]any)
	if !ok || len(doc) > 1 {
		return nil, texterr.New(mime.NewText("transfer.toml_shape",
			"a file in TOML has the settings of one connection, or a table [[connection]] for each and nothing else"))
	}
	return many, nil
}
