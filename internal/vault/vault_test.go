package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

var _ store.Sealer = (*Vault)(nil)

func env(m map[string]string) func(string) string { return func(k string) string { return m[k] } }

func openDir(t *testing.T, dir string) *Vault {
	t.Helper()
	v, err := Open(dir, env(nil))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSealIsBound(t *testing.T) {
	t.Parallel()
	v := openDir(t, t.TempDir())
	sealed, err := v.Seal("conn-1", "smtp.password", "segreto")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("segreto")) {
		t.Error("the sealed secret shows itself")
	}
	again, err := v.Seal("conn-1", "smtp.password", "segreto")
	if err != nil || bytes.Equal(sealed, again) {
		t.Errorf("two seals are the same: %v", err)
	}
	cut := sealed[:len(sealed)-1]
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	other := openDir(t, t.TempDir())
	for _, c := range []struct {
		name, owner, path string
		v                 *Vault
		sealed            []byte
		ok                bool
	}{
		{"itself", "conn-1", "smtp.password", v, sealed, true},
		{"another connection", "conn-2", "smtp.password", v, sealed, false},
		{"another field", "conn-1", "graph.client_secret", v, sealed, false},
		{"shifted border", "conn-1s", "mtp.password", v, sealed, false},
		{"cut", "conn-1", "smtp.password", v, cut, false},
		{"changed", "conn-1", "smtp.password", v, flipped, false},
		{"nothing", "conn-1", "smtp.password", v, nil, false},
		{"another key", "conn-1", "smtp.password", other, sealed, false},
	} {
		got, err := c.v.Open(c.owner, c.path, c.sealed)
		if (err == nil) != c.ok || c.ok && got.Reveal() != "segreto" || !c.ok && !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: %v, %v", c.name, got.Reveal(), err)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sealed, err := openDir(t, dir).Seal("o", "p", "x")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, FileName)
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if got, err := openDir(t, dir).Open("o", "p", sealed); err != nil || got.Reveal() != "x" {
		t.Errorf("after a restart: %v", err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	creds := t.TempDir()
	if err := os.WriteFile(filepath.Join(creds, Credential), content, 0o440); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]map[string]string{
		"variable":           {Variable: string(content)},
		"variable in base64": {Variable: base64.StdEncoding.EncodeToString(content)},
		"credential":         {"CREDENTIALS_DIRECTORY": creds},
	} {
		elsewhere := t.TempDir()
		v, err := Open(elsewhere, env(e))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := v.Open("o", "p", sealed); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(elsewhere, FileName)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a key file was made all the same", name)
		}
	}
	// A credentials folder for other things does not hide the file.
	if _, err := Open(dir, env(map[string]string{"CREDENTIALS_DIRECTORY": t.TempDir()})); err != nil {
		t.Error(err)
	}
	for name, e := range map[string]map[string]string{
		"not base64": {Variable: "!!"}, "not a key": {Variable: `{"primaryKeyId":1,"key":[]}`},
		"half a key": {Variable: string(content[:len(content)/2])},
	} {
		_, err := Open(dir, env(e))
		if err == nil || !strings.Contains(err.Error(), Variable) || strings.Contains(err.Error(), `"value"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, env(nil)); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
}

func TestOneKeyForAllWhoStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	vaults := make([]*Vault, 8)
	var wg sync.WaitGroup
	for i := range vaults {
		wg.Go(func() {
			v, err := Open(dir, env(nil))
			if err != nil {
				t.Error(err)
				return
			}
			vaults[i] = v
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	sealed, err := vaults[0].Seal("o", "p", "x")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range vaults {
		if _, err := v.Open("o", "p", sealed); err != nil {
			t.Errorf("process %d has another key", i)
		}
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := openDir(t, dir)
	id := old.ID()
	sealed, err := old.Seal("o", "p", "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := Rotate(dir); err != nil {
		t.Fatal(err)
	}
	v := openDir(t, dir)
	if got, err := v.Open("o", "p", sealed); err != nil || got.Reveal() != "x" {
		t.Errorf("sealed before the rotation: %v", err)
	}
	fresh, err := v.Seal("o", "p", "x")
	if err != nil {
		t.Fatal(err)
	}
	if !v.Stale(sealed) || v.Stale(fresh) || !v.Stale(nil) || old.Stale(sealed) {
		t.Error("what is stale and what is not")
	}
	// A process that runs follows, and seals with the new key from then on.
	if got, err := old.Open("o", "p", fresh); err != nil || got.Reveal() != "x" || old.Keys() != 2 || old.ID() != id || v.ID() != id {
		t.Errorf("a process that runs: %v", err)
	}
	if err := DropOld(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := openDir(t, dir).Open("o", "p", sealed); !errors.Is(err, ErrWrongKey) {
		t.Errorf("with an old key that is gone: %v", err)
	}
	if err := Prepare(dir); err != nil {
		t.Fatal(err)
	}
	if waits, err := Prepared(dir); err != nil || !waits || old.Newest() {
		t.Errorf("prepared: %v, %v", waits, err)
	}
	if err := Prepare(dir); err != nil || old.Keys() != 2 {
		t.Errorf("prepared twice: %d keys, %v", old.Keys(), err)
	}
	if again, err := old.Seal("o", "p", "x"); err != nil || openDir(t, dir).Stale(again) {
		t.Errorf("a key that waits is used: %v", err)
	}
	if err := Rotate(dir); err != nil || old.Keys() != 2 || !old.Newest() {
		t.Errorf("what was prepared is not what was rotated to: %v", err)
	}
	if err := Rotate(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("rotate without a key: %v", err)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	h := NewHasher(2)
	chosen, err := h.Hash(t.Context(), "città-2026")
	if err != nil {
		t.Fatal(err)
	}
	other, err := h.Hash(t.Context(), "città-2026")
	if err != nil || other == chosen {
		t.Errorf("two hashes are the same: %v", err)
	}
	if _, err := h.Hash(t.Context(), ""); err == nil {
		t.Error("an empty secret was hashed")
	}
	key := NewKey("pk_")
	if secret := NewClientSecret(); len(secret.Reveal()) != 20 || secret == NewClientSecret() {
		t.Errorf("the secret of a client: %q", secret.Reveal())
	}
	if len(key.Reveal()) != 3+52 || key == NewKey("pk_") {
		t.Errorf("a key of %d characters", len(key.Reveal()))
	}
	for range 2 { // the second time from memory
		for _, c := range []struct {
			name, hash, secret string
			ok, bad            bool
		}{
			{"chosen", chosen, "città-2026", true, false},
			{"wrong", chosen, "citta-2026", false, false},
			{"empty", chosen, "", false, false},
			{"generated", HashGenerated(key), key.Reveal(), true, false},
			{"another generated", HashGenerated(key), NewKey("pk_").Reveal(), false, false},
			{"no hash", "", "x", false, true},
			{"plain text", "x", "x", false, true},
			{"another kind", "$2a$10$abc", "x", false, true},
			{"cut", chosen[:len(chosen)-40], "città-2026", false, true},
			{"greedy", "$argon2id$v=19$m=99999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "x", false, true},
		} {
			ok, err := h.Verify(t.Context(), c.hash, adapters.Secret(c.secret))
			if ok != c.ok || (err != nil) != c.bad {
				t.Errorf("%s: %v, %v", c.name, ok, err)
			}
		}
	}
	_ = h.Waste(t.Context(), "x")
}

// A refusal takes as long whether the name is unknown, its secret was made here,
// was chosen by a person, or cannot be read.
func TestRefusalsTakeAsLong(t *testing.T) {
	t.Parallel()
	h := NewHasher(1)
	chosen, err := h.Hash(t.Context(), "città-2026")
	if err != nil {
		t.Fatal(err)
	}
	fastest := func(refuse func()) time.Duration {
		best := time.Hour
		for range 4 {
			start := time.Now()
			refuse()
			best = min(best, time.Since(start))
		}
		return best
	}
	unknown := fastest(func() { _ = h.Waste(t.Context(), "wrong") })
	for name, hash := range map[string]string{"made here": HashGenerated(NewClientSecret()), "chosen": chosen, "unreadable": "$sha$"} {
		took := fastest(func() {
			if ok, _ := h.Verify(t.Context(), hash, "wrong"); ok {
				t.Errorf("%s: a wrong secret fits", name)
			}
		})
		if took < unknown/3 || took > 3*unknown { // without the rule it is 1 to 1,000
			t.Errorf("%s: refused in %v, an unknown name in %v", name, took, unknown)
		}
	}
}

// Who left waits for no turn.
func TestWaitingEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	h := NewHasher(1)
	h.slots <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, hash := range []string{HashGenerated("x"), "$sha$"} {
		if ok, err := h.Verify(ctx, hash, "wrong"); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", ok, err)
		}
	}
	if _, err := h.Hash(ctx, "secret"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	h := NewHasher(1)
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$sha256$00")
	f.Fuzz(func(t *testing.T, hash string) {
		if p, err := parseArgon(hash); err == nil && (p.memory > 1024 || p.time > 2) {
			t.Skip("slow by its own wish")
		}
		if ok, _ := h.Verify(t.Context(), hash, "secret"); ok {
			t.Errorf("%q fits", hash)
		}
	})
}
