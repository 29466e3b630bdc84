package main

import (
	"fmt"

	"github.com/postino-mail/postino/internal/app"
)

type versionCommand struct {
	JSON bool `help:"Print as JSON." name:"json"`
}

func (c *versionCommand) Run(std stdio) error {
	v := app.ReadVersion()
	if c.JSON {
		return v.WriteJSON(std.out)
	}
	_, err := fmt.Fprintln(std.out, v)
	return err
}
