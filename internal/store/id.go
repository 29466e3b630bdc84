package store

import (
	"database/sql/driver"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/internal/gateway"
)

// An ID names a message or a delivery: a UUID of version 7 (RFC 9562 section
// 5.7), so that ids made later sort later. The zero ID is none.
type ID [16]byte

var idText = base32.NewEncoding(gateway.IDAlphabet).WithPadding(base32.NoPadding)

// NewID makes an ID; within one process each sorts after the one before.
func NewID() ID {
	u, err := uuid.NewV7()
	if err != nil {
		// crypto/rand never fails on the systems Go runs on (it ends the process instead).
		u = uuid.New()
	}
	return ID(u)
}

// FirstID sorts before every ID that is made at t or later, and after those made
// before its millisecond (RFC 9562 section 5.7).
func FirstID(t time.Time) (id ID) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(t.UnixMilli())<<16)
	copy(id[:6], b[:6])
	return id
}

// ParseID reads the text form; letter case does not matter.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := idText.DecodeString(strings.ToLower(s))
	if err != nil || len(b) != len(id) {
		return ID{}, fmt.Errorf("%q is not an id: %w", s, ErrNotFound)
	}
	return ID(b), nil
}

// String is 26 characters of lower-case base32; empty for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return idText.EncodeToString(id[:])
}

// IsZero reports the zero ID.
func (id ID) IsZero() bool { return id == ID{} }

// Time is when the ID was made, to the millisecond (RFC 9562 section 5.7). A bound
// that FirstID makes has a time too, though no version.
func (id ID) Time() time.Time {
	var b [8]byte
	copy(b[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:]))).UTC()
}

// MarshalText and UnmarshalText are the text form, for JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form; nothing is the zero ID.
func (id *ID) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*id = ID{}
		return nil
	}
	*id, err = ParseID(string(b))
	return err
}

// Value stores the 16 bytes (database/sql).
func (id ID) Value() (driver.Value, error) { return id[:], nil }

// Scan reads the 16 bytes, or a UUID's text as PostgreSQL gives it.
func (id *ID) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*id = ID{}
		return nil
	case []byte:
		if len(v) == len(id) {
			copy(id[:], v)
			return nil
		}
	case [16]byte:
		*id = v
		return nil
	case string:
		u, err := uuid.Parse(v)
		*id = ID(u)
		return err
	}
	return fmt.Errorf("store: %T is not an id", src)
}
