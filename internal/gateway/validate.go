package gateway

import (
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
	v := adapters.NewValidator()
	c.Check(v)
	if isID(c.Name) {
		v.Add("name", mime.NewText("gateway.name_is_id", "{name} reads as the id of a connection: choose another name", "name",
			strconv.Quote(c.Name)))
	}
	v.OneOf("default", string(c.Default), "", "no", "unrouted", "always")
	v.OneOf("class", c.Class, "", "any", "transactional", "bulk")
	v.OneOf("on_quota_exceeded", c.OnQuotaExceeded, "", "wait", "fallback")
	if _, ok := c.SecretEnds(); !ok && c.SecretExpires != "" {
		v.Add("secret_expires", mime.NewText("gateway.not_a_date", "{value} is not a date: write it as 2027-03-31", "value",
			strconv.Quote(c.SecretExpires)))
	}
	if r := c.Retry; r != nil && (r.FirstSeconds < 0 || r.MaxSeconds < 0 || r.GiveUpHours < 0) {
		v.Add("retry", mime.NewText("gateway.negative_time", "times cannot be negative"))
	}
	if slices.ContainsFunc(c.Fallback, func(name string) bool { return strings.EqualFold(name, c.Name) }) {
		v.Add("fallback", mime.NewText("gateway.own_fallback", "a connection cannot be its own fallback"))
	}
	return v.Err()
}

// IDAlphabet and IDLength are the text form of ids (store.ID): Crockford's base 32
// in lower case, which sorts as the bytes do.
const (
	IDAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	IDLength   = 26
)

// isID reports whether a name reads as an id, by which connections are named too.
func isID(name string) bool {
	return len(name) == IDLength && strings.Trim(strings.ToLower(name), IDAlphabet) == ""
}
