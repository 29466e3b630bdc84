package gateway

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
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
	bad := func(field string, t mime.Text) {
		v.Fields = append(v.Fields, adapters.FieldError{Field: field, Text: t})
	}
	oneOf := func(field, value string, allowed ...string) {
		if value != "" && !slices.Contains(allowed, value) {
			bad(field, mime.NewText("gateway.not_one_of", "{value} is none of {allowed}", "value", strconv.Quote(value),
				"allowed", strings.Join(allowed, ", ")))
		}
	}
	oneOf("default", string(c.Default), "no", "unrouted", "always")
	oneOf("class", c.Class, "any", "transactional", "bulk")
	oneOf("on_quota_exceeded", c.OnQuotaExceeded, "wait", "fallback")
	if _, ok := c.SecretEnds(); !ok && c.SecretExpires != "" {
		bad("secret_expires", mime.NewText("gateway.not_a_date", "{value} is not a date: write it as 2027-03-31", "value",
			strconv.Quote(c.SecretExpires)))
	}
	if r := c.Retry; r != nil && (r.FirstSeconds < 0 || r.MaxSeconds < 0 || r.GiveUpHours < 0) {
		bad("retry", mime.NewText("gateway.negative_time", "times cannot be negative"))
	}
	if slices.ContainsFunc(c.Fallback, func(name string) bool { return strings.EqualFold(name, c.Name) }) {
		bad("fallback", mime.NewText("gateway.own_fallback", "a connection cannot be its own fallback"))
	}
	if len(v.Fields) == 0 {
		return nil
	}
	return v
}
