package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A kind is a licence that is known, by the SPDX identifier, and what stands in its text
// and in that of none before it in the list.
type kind struct {
	id    string
	words []string
}

var kinds = []kind{
	{"Apache-2.0", []string{"Apache License", "Version 2.0, January 2004"}},
	{"MPL-2.0", []string{"Mozilla Public License Version 2.0"}},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "endorse or promote products derived"}},
	{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}},
	{"MIT", []string{"Permission is hereby granted, free of charge, to any person obtaining a copy"}},
	{"ISC", []string{"Permission to use, copy, modify, and", "with or without fee is hereby granted, provided that"}},
	{"0BSD", []string{"Permission to use, copy, modify, and/or distribute", "with or without fee is hereby granted."}},
	{"blessing", []string{"May you do good and not evil.", "May you share freely"}},
	{"public-domain", []string{"SQLite Is Public Domain"}},
	{"CC0-1.0", []string{"CC0 1.0 Universal"}},
	{"Unlicense", []string{"This is free and unencumbered software released into the public domain"}},
}

// kindOf is the licence that a text is; empty: it is none that is known.
func kindOf(text string) string {
	flat := flatten(text)
	for _, k := range kinds {
		if !slices.ContainsFunc(k.words, func(w string) bool { return !strings.Contains(strings.ToLower(flat), strings.ToLower(w)) }) {
			return k.id
		}
	}
	return ""
}

func flatten(s string) string { return strings.Join(strings.Fields(s), " ") }

// licenceFile is what a licence is kept in, noticeFile what has to go with one
// (Apache-2.0, section 4d; grants of patents).
var (
	licenceFile = regexp.MustCompile(`(?i)^([a-z0-9]+[-_])?(licen[cs]es?|copying|copyright|unlicense)([-_][a-z0-9.-]+)?(\.(txt|md|rst))?$`)
	noticeFile  = regexp.MustCompile(`(?i)^(notice|patents)(\.(txt|md))?$`)
	holder      = regexp.MustCompile(`(?im)^[ \t#*/-]*(?:the )?(copyright (?:\(c\)|©|[12][0-9]{3}).*|\(c\) [12][0-9]{3}.*|© ?[12][0-9]{3}.*)$`)
)

// A part is something that is linked into the program, with its licences.
type part struct {
	name, version string
	files         string // as Debian's file of copyrights has it
	texts         []string
	notices       []string
}

// read takes the files of a folder over.
func (p *part) read(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		into := &p.notices
		switch {
		case f.IsDir(), filepath.Ext(f.Name()) == ".go":
			continue
		case licenceFile.MatchString(f.Name()):
			into = &p.texts
		case !noticeFile.MatchString(f.Name()):
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		if s := strings.ToValidUTF8(strings.ReplaceAll(string(text), "\r\n", "\n"), "?"); !slices.Contains(*into, s) {
			*into = append(*into, s)
		}
	}
	return nil
}

// parts are the modules of the packages, with Go and the scripts.
func parts(root string, packages []listed) ([]*part, error) {
	out, err := modules(root, packages)
	if err != nil {
		return nil, err
	}
	for _, s := range scripts {
		text, err := os.ReadFile(filepath.Join("internal/sbom", s.text))
		if err != nil {
			return nil, err
		}
		out = append(out, &part{name: s.name, version: s.version, files: "internal/web/assets/" + strings.Join(s.files, " internal/web/assets/"),
			texts: []string{string(text)}})
	}
	return out, nil
}

// modules are those of the packages, by name, after Go. Besides a module's own
// folder, the folders of its packages that are linked in are looked at, and those between.
func modules(root string, packages []listed) (out []*part, err error) {
	std := &part{name: "Go standard library", files: "std/*"}
	if err := std.read(root); err != nil {
		return nil, err
	}
	out = append(out, std)
	of, seen := map[string]*part{}, map[string]bool{}
	for _, p := range packages {
		m := p.Module
		if m == nil || m.Main {
			continue
		}
		if m.Dir == "" {
			return nil, fmt.Errorf("module %s is not in the module cache: go mod download", m.Path)
		}
		at := of[m.Path]
		if at == nil {
			at = &part{name: m.Path, version: m.Version, files: m.Path + "/*"}
			of[m.Path] = at
			out = append(out, at)
		}
		for dir := p.Dir; !seen[dir] && strings.HasPrefix(dir, m.Dir); dir = filepath.Dir(dir) {
			seen[dir] = true
			if err := at.read(dir); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(out[1:], func(a, b *part) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// copyrights writes who holds rights in what is linked into the program, with the text of
// each licence once, as
// https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ has it.
func copyrights(w io.Writer, own string, all []*part) error {
	var out strings.Builder
	out.WriteString("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: postino\n" +
		"Source: https://github.com/postino-mail/postino\n")
	names, used := map[string]string{}, map[string]int{} // by text: its name; by licence: how many texts of it
	called := func(text string) string {
		id := flatten(text)
		if names[id] == "" {
			kind := kindOf(text)
			if kind == "" {
				kind = "other"
			}
			if used[kind]++; used[kind] > 1 || kind == "other" {
				kind = fmt.Sprintf("%s-variant-%d", kind, used[kind])
			}
			names[id] = kind
		}
		return names[id]
	}
	texts := map[string]string{}
	files := func(p *part) error {
		var holders, licences []string
		known := false
		for _, text := range p.texts {
			known = known || kindOf(text) != ""
			name := called(text)
			texts[name] = text
			licences = append(licences, name)
			for _, found := range holder.FindAllStringSubmatch(text, -1) {
				if h := flatten(found[1]); !slices.Contains(holders, h) && !strings.Contains(h, "[") && !strings.Contains(h, "{") {
					holders = append(holders, h)
				}
			}
		}
		switch {
		case len(p.texts) == 0:
			return fmt.Errorf("%s %s has no licence file", p.name, p.version)
		case !known:
			return fmt.Errorf("%s %s has no licence that is known here: look at it, and add it to internal/sbom", p.name, p.version)
		}
		if len(holders) == 0 {
			holders = []string{"the authors of " + p.name}
		}
		fmt.Fprintf(&out, "\nFiles: %s\nCopyright:\n %s\nLicense: %s\n", p.files, strings.Join(holders, "\n "), strings.Join(licences, " and "))
		if comment := strings.TrimSpace(strings.Join([]string{p.name, p.version}, " ")); p.version != "" {
			fmt.Fprintf(&out, "Comment: %s\n", comment)
			for _, notice := range p.notices {
				out.WriteString(indented(notice))
			}
		}
		return nil
	}
	errs := []error{files(&part{name: "postino", files: "*", texts: []string{own}})}
	for _, p := range all {
		errs = append(errs, files(p))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		fmt.Fprintf(&out, "\nLicense: %s\n%s", name, indented(texts[name]))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// indented is a text as the lines of a field; one that is empty is a full stop.
func indented(text string) string {
	var out strings.Builder
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		if line = strings.TrimRight(line, " \t\r\f"); line == "" {
			line = "."
		}
		out.WriteString(" " + strings.ReplaceAll(line, "\f", "") + "\n")
	}
	return out.String()
}
