package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// bill is what a document is made of.
type bill struct {
	info     *debug.BuildInfo
	program  [sha256.Size]byte
	version  string
	built    time.Time
	packages []listed
	embedded map[string][]byte // files of scripts, by name
}

// listed is a package as go list -json shows it.
type listed struct {
	ImportPath string
	Dir        string
	Imports    []string
	Module     *listedModule
}

type listedModule struct {
	Path, Version, Dir string
	Main               bool
}

// script is what the page takes from npm, embedded by internal/web.
type script struct {
	name, version, license string
	files                  []string
	text                   string // of the licence, in this folder
}

var scripts = []script{{"htmx.org", "4.0.1", "0BSD", []string{"htmx.min.js", "hx-sse.min.js"}, "htmx.org.txt"}}

// The parts of CycloneDX 1.6 that are used: https://cyclonedx.org/docs/1.6/json/
type (
	document struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Serial       string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string      `json:"timestamp"`
		Component component   `json:"component"`
		Licenses  []license   `json:"licenses,omitempty"`
		Lifecycle []lifecycle `json:"lifecycles"`
	}
	lifecycle struct {
		Phase string `json:"phase"`
	}
	component struct {
		Type       string      `json:"type"`
		Ref        string      `json:"bom-ref"`
		Name       string      `json:"name"`
		Version    string      `json:"version"`
		Scope      string      `json:"scope,omitempty"`
		Hashes     []hash      `json:"hashes,omitempty"`
		Licenses   []license   `json:"licenses,omitempty"`
		PURL       string      `json:"purl"`
		Components []component `json:"components,omitempty"`
		Properties []property  `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	license struct {
		License struct {
			ID string `json:"id"`
		} `json:"license"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref string   `json:"ref"`
		On  []string `json:"dependsOn,omitempty"`
	}
)

// document fails for a module without a checksum: one that was replaced by a
// folder, which no one else could look at.
func (b bill) document() (document, error) {
	main := component{
		Type: "application", Name: b.info.Main.Path, Version: b.version, PURL: golang(b.info.Main.Path, b.version),
		Hashes: sha256Of(b.program[:]), Licenses: licensed("Apache-2.0"),
	}
	for _, key := range []string{"GOOS", "GOARCH", "CGO_ENABLED", "-trimpath"} {
		if value := setting(b.info, key); value != "" {
			main.Properties = append(main.Properties, property{"go:build:" + key, value})
		}
	}
	main.Ref = main.PURL
	standard := library("std", strings.TrimPrefix(b.info.GoVersion, "go"))
	standard.Licenses = licensed("BSD-3-Clause")
	components := []component{standard}
	refs := map[string]string{b.info.Main.Path: main.Ref}
	for _, m := range b.info.Deps {
		used := m
		if m.Replace != nil {
			used = m.Replace
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(used.Sum, "h1:"))
		if err != nil || len(sum) != sha256.Size {
			return document{}, fmt.Errorf("module %s %s has no checksum of go.sum: %q", used.Path, used.Version, used.Sum)
		}
		c := library(used.Path, used.Version)
		c.Hashes = sha256Of(sum)
		refs[m.Path] = c.Ref
		components = append(components, c)
	}
	on := b.dependencies(refs, standard.Ref)
	for _, s := range scripts {
		c := component{Type: "library", Name: s.name, Version: s.version, Scope: "required", Licenses: licensed(s.license)}
		c.PURL = "pkg:npm/" + s.name + "@" + s.version
		c.Ref = c.PURL
		for _, file := range s.files {
			sum := sha256.Sum256(b.embedded[file])
			c.Components = append(c.Components, component{
				Type: "file", Ref: c.Ref + "#" + file, Name: file, Version: s.version, PURL: c.PURL + "#" + file, Hashes: sha256Of(sum[:]),
			})
		}
		components = append(components, c)
		on[main.Ref] = append(on[main.Ref], c.Ref)
		on[c.Ref] = nil
	}
	out := document{
		Format: "CycloneDX", Spec: "1.6", Serial: "urn:uuid:" + uuid(b.program), Version: 1, Components: components,
		Metadata: metadata{Timestamp: b.built.Format(time.RFC3339), Component: main, Lifecycle: []lifecycle{{"build"}}},
	}
	for _, ref := range slices.Sorted(maps.Keys(on)) {
		slices.Sort(on[ref])
		out.Dependencies = append(out.Dependencies, dependency{ref, slices.Compact(on[ref])})
	}
	return out, nil
}

// dependencies says of each component which others its packages import.
func (b bill) dependencies(refs map[string]string, standard string) map[string][]string {
	of := make(map[string]string, len(b.packages)) // by package: its component
	for _, p := range b.packages {
		of[p.ImportPath] = standard
		if p.Module != nil {
			of[p.ImportPath] = refs[p.Module.Path]
		}
	}
	on := map[string][]string{standard: nil}
	for _, ref := range refs {
		on[ref] = []string{standard}
	}
	for _, p := range b.packages {
		from := of[p.ImportPath]
		for _, i := range p.Imports {
			if to := of[i]; from != "" && to != "" && from != standard && to != from {
				on[from] = append(on[from], to)
			}
		}
	}
	return on
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func library(path, version string) component {
	c := component{Type: "library", Name: path, Version: version, Scope: "required", PURL: golang(path, version)}
	c.Ref = c.PURL
	return c
}

// golang is the package URL of a module:
// https://github.com/package-url/purl-spec/blob/main/types-doc/golang-definition.md
// Of what stands in versions of Go, "+" alone is percent-encoded there.
func golang(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

func sha256Of(sum []byte) []hash { return []hash{{"SHA-256", hex.EncodeToString(sum)}} }

func licensed(id string) []license {
	var l license
	l.License.ID = id
	return []license{l}
}

// uuid is made of the program, RFC 9562 section 5.8.
func uuid(program [sha256.Size]byte) string {
	u := [16]byte(program[:16])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
