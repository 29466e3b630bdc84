package private

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

// rights are those of a file or folder, as text.
func rights(t *testing.T, name string) string {
	t.Helper()
	sd, err := windows.GetNamedSecurityInfo(name, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		t.Fatal(err)
	}
	return sd.String()
}

// What is made admits the system, administrators and this user, and no one else; no one
// is inherited from above. Whoever else is admitted comes with one call.
func TestRights(t *testing.T) {
	t.Parallel()
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	want, err := descriptor()
	if err != nil {
		t.Fatal(err)
	}
	for _, sid := range []string{"SY", "BA", me.User.Sid.String()} {
		if !strings.Contains(want.String(), "(A;OICI;FA;;;"+sid+")") {
			t.Errorf("%s is not in %s", sid, want)
		}
	}
	if !strings.HasPrefix(want.String(), "D:P(") || strings.Count(want.String(), "(") > 3 {
		t.Errorf("others are admitted: %s", want)
	}
	if os.Getenv("WINEPREFIX") != "" {
		t.Skip("Wine keeps the rights of Unix in place of a list")
	}
	dir := filepath.Join(t.TempDir(), "postino", "data")
	if err := MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{filepath.Dir(dir), dir} {
		if got := rights(t, at); !strings.Contains(got, ";SY)") || !strings.Contains(got, ";BA)") || !strings.HasPrefix(got, "D:P") ||
			strings.Count(got, "(A;") > 3 || strings.Contains(got, ";WD)") || strings.Contains(got, ";BU)") {
			t.Errorf("%s: %s", at, got)
		}
	}
	file := filepath.Join(dir, "key")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := rights(t, file); strings.Contains(got, ";WD)") || strings.Contains(got, ";BU)") || !strings.Contains(got, "ID;FA;;;SY)") {
		t.Errorf("a file in it: %s", got)
	}
	if err := Admit(dir, `NT AUTHORITY\LOCAL SERVICE`); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{dir, file} {
		if got := rights(t, at); !strings.Contains(got, ";LS)") || strings.Contains(got, ";BU)") {
			t.Errorf("another account is let in to %s: %s", at, got)
		}
	}
	if err := Admit(dir, `NT SERVICE\of no one`); err == nil {
		t.Error("an account that does not exist was admitted")
	}
}

// Paths that Windows alone has: short and long ones, drives, and names that it does not take.
func TestPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, at := range map[string]string{
		"slashes":  filepath.ToSlash(filepath.Join(dir, "a", "b")),
		"long":     filepath.Join(dir, strings.Repeat("c", 120), strings.Repeat("d", 120), "e"),
		"Italian":  filepath.Join(dir, "Società", "è qui"),
		"trailing": filepath.Join(dir, "f") + `\`,
		"prefixed": `\\?\` + filepath.Join(dir, "g"),
	} {
		if err := MkdirAll(at); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if at, err := os.Stat(at); err != nil || !at.IsDir() {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{filepath.Join(dir, "a|b"), filepath.Join(dir, "x\x00y")} {
		if err := MkdirAll(bad); err == nil {
			t.Errorf("%q was made", bad)
		}
	}
}
