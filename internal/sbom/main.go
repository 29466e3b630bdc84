// Command sbom writes the bill of materials of a program of this repository, as
// CycloneDX 1.6 JSON: every module that is linked into it, and the scripts of the page.
//
//	go run ./internal/sbom PROGRAM >PROGRAM.cdx.json
//	go run ./internal/sbom --copyright PROGRAM >copyright
//
// With --copyright it writes who holds rights in them, and all their licences, in the form
// of Debian; it fails where a module has no licence, or none that is known here.
// It runs in the module that the program was built from, with SOURCE_DATE_EPOCH
// set to the time of the commit. The same program makes the same bytes.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	rights := len(args) == 2 && args[0] == "--copyright"
	if rights {
		args = args[1:]
	}
	if len(args) != 1 {
		return errors.New("usage: sbom [--copyright] PROGRAM")
	}
	content, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return err
	}
	epoch, err := strconv.ParseInt(cmp.Or(os.Getenv("SOURCE_DATE_EPOCH"), "0"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	b := bill{
		info:     info,
		program:  sha256.Sum256(content),
		version:  cmp.Or(os.Getenv("VERSION"), info.Main.Version),
		built:    time.Unix(epoch, 0).UTC(),
		embedded: map[string][]byte{},
	}
	if b.packages, err = packages(ctx, setting(info, "GOOS"), setting(info, "GOARCH"), info.Path); err != nil {
		return err
	}
	if rights {
		return b.copyrights(ctx, out)
	}
	for _, s := range scripts {
		for _, file := range s.files {
			if b.embedded[file], err = os.ReadFile(path.Join("internal/web/assets", file)); err != nil {
				return err
			}
		}
	}
	doc, err := b.document()
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(doc)
}

// copyrights writes those of all that is linked into the program.
func (b bill) copyrights(ctx context.Context, out io.Writer) error {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	all, err := parts(strings.TrimSpace(string(root)), b.packages)
	if err != nil {
		return err
	}
	for _, m := range b.info.Deps {
		if !slices.ContainsFunc(all, func(p *part) bool { return p.name == m.Path }) {
			return fmt.Errorf("module %s is linked into the program, and go list does not know it", m.Path)
		}
	}
	own, err := os.ReadFile("LICENSE")
	if err != nil {
		return err
	}
	return copyrights(out, string(own), all)
}

// packages are those that go list finds in a program for a system.
func packages(ctx context.Context, system, arch, main string) (out []listed, err error) {
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-json=ImportPath,Dir,Imports,Module", main)
	list.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0")
	list.Stderr = os.Stderr
	found, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(found)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
}
