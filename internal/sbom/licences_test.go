package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const mit = "MIT License\n\nCopyright (c) 2026 %s\n\n" +
	"Permission is hereby granted, free of charge, to any person obtaining a copy\n\f\nof it.  \n"

func TestCopyrights(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		at := filepath.Join(cache, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	anna, bruno := strings.ReplaceAll(mit, "%s", "Anna"), strings.ReplaceAll(mit, "%s", "Bruno")
	write("go/LICENSE", "Copyright 2009 The Go Authors.\n"+
		"Redistribution and use in source and binary forms; endorse or promote products derived\n")
	write("a/LICENCE.txt", anna)
	write("a/NOTICE", "A\n\nby Anna\n")
	write("a/license_test.go", "package a // none")
	write("a/sub/x/y/LICENSE", bruno)
	write("a/other/LICENSE", "of a package that is not linked in")
	write("b/COPYING", strings.ReplaceAll(anna, "\n", "\r\n"))
	write("none/README", "")
	write("strange/LICENSE", "You may look at it.")
	of := func(name string, packages ...string) (out []listed) {
		m := &listedModule{Path: "example.com/" + name, Version: "v1", Dir: filepath.Join(cache, name)}
		for _, p := range packages {
			out = append(out, listed{Module: m, Dir: filepath.Join(m.Dir, filepath.FromSlash(p))})
		}
		return out
	}
	made := func(packages ...[]listed) (string, error) {
		var all []listed
		for _, p := range packages {
			all = append(all, p...)
		}
		var read []*part
		read, err := modules(filepath.Join(cache, "go"), all)
		if err != nil {
			return "", err
		}
		var out strings.Builder
		err = copyrights(&out, "Apache License\nVersion 2.0, January 2004\n", read)
		return out.String(), err
	}
	got, err := made(of("b", "."), of("a", ".", "sub/x/y"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nFiles: *\nCopyright:\n the authors of postino\nLicense: Apache-2.0\n\n",
		"\nFiles: std/*\nCopyright:\n Copyright 2009 The Go Authors.\nLicense: BSD-3-Clause\n\n",
		"\nFiles: example.com/a/*\nCopyright:\n Copyright (c) 2026 Anna\n Copyright (c) 2026 Bruno\nLicense: MIT and MIT-variant-2\n" +
			"Comment: example.com/a v1\n A\n .\n by Anna\n\nFiles: example.com/b/*\n",
		"\nFiles: example.com/b/*\nCopyright:\n Copyright (c) 2026 Anna\nLicense: MIT\nComment: example.com/b v1\n",
		"\nLicense: MIT\n MIT License\n .\n Copyright (c) 2026 Anna\n .\n Permission is hereby granted, free of charge, to any person " +
			"obtaining a copy\n .\n of it.\n\nLicense: MIT-variant-2\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("not in it:\n%s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	for name, packages := range map[string][]listed{
		"has no licence file":                 of("none", "."),
		"has no licence that is known":        of("strange", "."),
		"is not in the module cache":          {{Module: &listedModule{Path: "example.com/c"}}},
		"example.com/strange v1 has no licen": append(of("a", "."), of("strange", ".")...),
	} {
		if _, err := made(packages); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is linked into this test, a program of the module, has licences that are known.
func TestCopyrightsOfProgram(t *testing.T) {
	t.Chdir("../..")
	t.Setenv("GOFLAGS", "")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"--copyright", program}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Files: std/*", "Files: internal/web/assets/htmx.min.js", "License: 0BSD\n Zero-Clause BSD"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
