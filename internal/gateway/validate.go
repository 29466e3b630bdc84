package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
)

// Validate checks everything that can be known without a network, as
// adapters.Connection.Validate does, and the gateway's own fields. The error is
// an *adapters.InvalidError with each field that is wrong.
func (c *Connection) Validate() error {
	v := &adapters.InvalidError{}
	err := c.Connection.Validate()
	if err != nil && !errors.As(err, &v) {
		return err
	}
	v = &adapters.InvalidError{Fields: slices.Clone(v.Fields)}
	bad := func(field, en, it string) {
		v.Fields = append(v.Fields, adapters.FieldError{Field: field, Text: adapters.Text{EN: en, IT: it}})
	}
	oneOf := func(field, value string, allowed ...string) {
		if value != "" && !slices.Contains(allowed, value) {
			all := strings.Join(allowed, ", ")
			bad(field, fmt.Sprintf("%q is none of %s", value, all), fmt.Sprintf("%q non è tra %s", value, all))
		}
	}
	oneOf("default", string(c.Default), "no", "unrouted", "always")
	oneOf("class", c.Class, "any", "transactional", "bulk")
	oneOf("on_quota_exceeded", c.OnQuotaExceeded, "wait", "fallback")
	if r := c.Retry; r != nil && (r.FirstSeconds < 0 || r.MaxSeconds < 0 || r.GiveUpHours < 0) {
		bad("retry", "times cannot be negative", "i tempi non possono essere negativi")
	}
	if slices.ContainsFunc(c.Fallback, func(name string) bool { return strings.EqualFold(name, c.Name) }) {
		bad("fallback", "a connection cannot be its own fallback", "una connessione non può essere la riserva di sé stessa")
	}
	if len(v.Fields) == 0 {
		return nil
	}
	return v
}
