package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/commandline"
)

type completionCommand struct {
	Bash       completionBash       `cmd:"" help:"Print the script for bash."`
	Zsh        completionZsh        `cmd:"" help:"Print the script for zsh."`
	Fish       completionFish       `cmd:"" help:"Print the script for fish."`
	Powershell completionPowershell `cmd:"" help:"Print the script for PowerShell."`
	Candidates completionCandidates `cmd:"" hidden:"" help:"Print what may stand next: the scripts ask."`
}

// Help shows examples below the flags.
func (completionCommand) Help() string {
	return `Examples:
  source <(postino completion bash)                                    # now
  postino completion bash > /etc/bash_completion.d/postino             # for everyone
  postino completion zsh > "${fpath[1]}/_postino"
  postino completion fish > ~/.config/fish/completions/postino.fish
  postino completion powershell | Out-String | Invoke-Expression`
}

type (
	completionBash       struct{}
	completionZsh        struct{}
	completionFish       struct{}
	completionPowershell struct{}
)

func (completionBash) Run(std stdio) error       { return printScript(std, "bash") }
func (completionZsh) Run(std stdio) error        { return printScript(std, "zsh") }
func (completionFish) Run(std stdio) error       { return printScript(std, "fish") }
func (completionPowershell) Run(std stdio) error { return printScript(std, "powershell") }

func printScript(std stdio, shell string) error {
	script, err := commandline.Script(shell)
	if err == nil {
		_, err = fmt.Fprint(std.out, script)
	}
	return err
}

type completionCandidates struct {
	Words []string `arg:"" optional:"" help:"The words behind the program's name, as far as the cursor."`
}

func (c *completionCandidates) Run(k *kong.Context, std stdio, cli *commands) error {
	commandline.Localise(k.Model.Node, cli.language())
	candidates, files := commandline.Complete(k.Model.Node, c.Words)
	for _, w := range candidates {
		if _, err := fmt.Fprintf(std.out, "%s\t%s\n", w.Word, w.Help); err != nil {
			return err
		}
	}
	if !files {
		return nil
	}
	_, err := fmt.Fprintln(std.out, ":files")
	return err
}

type manualCommand struct{}

// Help shows examples below the flags.
func (manualCommand) Help() string {
	return "Examples:\n  postino manual | man -l -\n  postino --lang it manual > postino.it.1"
}

func (manualCommand) Run(k *kong.Context, std stdio, cli *commands) error {
	commandline.Localise(k.Model.Node, cli.language())
	_, err := fmt.Fprint(std.out, commandline.Manual(k.Model.Node, cli.language(), app.ReadVersion().Version))
	return err
}
