package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// ExitPlanned is the exit code of a plan that would change something.
const ExitPlanned = 2

// Export prints connections as a JSON array without secrets, in the form that
// Apply reads; without names, all.
func (k ConnectionCommands) Export(ctx context.Context, names []string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		all, err := st.Connections(ctx)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			all = nil
			for _, name := range names {
				c, err := stored(ctx, st, name)
				if err != nil {
					return err
				}
				all = append(all, c)
			}
		}
		out := make([]*gateway.Connection, len(all))
		for i, c := range all {
			out[i] = c.Clone()
			out[i].ID, out[i].Revision = "", 0
			for _, s := range out[i].Secrets() {
				*s.Value = ""
			}
		}
		return writeJSON(k.Stdout, out)
	})
}

// An ApplyOptions says how Apply goes about it.
type ApplyOptions struct {
	File  string
	Prune bool // remove what the file does not name
	Plan  bool // only show the plan
	Yes   bool // do not ask
}

// An applyDoc is a plan and what came of it, for --json.
type applyDoc struct {
	Plan    []stepDoc `json:"plan"`
	Applied int       `json:"applied"` // so many steps of the plan are done, from the first
	Error   *Failure  `json:"error,omitempty"`
}

type stepDoc struct {
	Action string   `json:"action"`
	Name   string   `json:"name"`
	Fields []string `json:"fields,omitempty"`
}

// applied prints what was applied of a plan; stopped is why not all.
func (k ConnectionCommands) applied(steps []connections.Step, done int, stopped error) error {
	if !k.JSON {
		if stopped != nil || len(steps) == 0 || done == 0 {
			return stopped
		}
		_, err := fmt.Fprintln(k.Stdout, mime.NewCount("cli.applied", done, "one change applied", "{count} changes applied").In(k.Language))
		return err
	}
	doc := applyDoc{Plan: []stepDoc{}, Applied: done}
	for _, s := range steps {
		doc.Plan = append(doc.Plan, stepDoc{s.Action, s.Name, s.Fields})
	}
	if stopped != nil {
		f := FailureOf(stopped, k.Language)
		doc.Error = &f
	}
	if err := writeJSON(k.Stdout, doc); err != nil || stopped == nil {
		return err
	}
	return exit(ExitCode(stopped), errReported)
}

// Apply makes the stored connections those of a file: it shows a plan, asks, and
// does it. A connection that was changed since the plan was made is left alone.
func (k ConnectionCommands) Apply(ctx context.Context, o ApplyOptions) error {
	content, err := k.read(text("cli.connection_file_unreadable", "the connection file cannot be read"), o.File)
	if err != nil {
		return err
	}
	docs, err := documents(content)
	if err != nil {
		return exit(ExitConfig, texterr.Wrap(text("cli.connection_not_json", "the connection is no JSON object"), err))
	}
	return withNewStore(ctx, k.Storage, func(st store.Store) (err error) {
		all, err := st.Connections(ctx)
		if err != nil {
			return err
		}
		steps, err := connections.Plan(all, docs, o.Prune)
		if err != nil {
			return exit(ExitConfig, err)
		}
		if !k.JSON {
			if err := k.showPlan(steps); err != nil {
				return err
			}
		}
		if o.Plan || len(steps) == 0 {
			if err := k.applied(steps, 0, nil); err != nil || len(steps) == 0 {
				return err
			}
			return exit(ExitPlanned, errReported)
		}
		if !o.Yes {
			p, err := prompt.New(k.Stdin, k.Stdout)
			if err != nil || o.File == "-" || k.JSON {
				return wrong(ExitUsage, mime.NewText("cli.apply_needs_yes", "there is no one to ask: give --yes to apply the plan, --plan to see it"))
			}
			sure, err := p.Confirm(ctx, text("cli.apply_sure", "Apply this plan?").In(k.Language), text("cli.yes", "yes").In(k.Language),
				text("cli.no", "no").In(k.Language))
			if err != nil || !sure {
				return notSaved(ctx, errors.Join(err, wrong(ExitFailure, mime.NewText("cli.apply_declined", "nothing was applied"))))
			}
		}
		s := &connections.Service{Store: st, Wait: k.Wait}
		for i, step := range steps {
			if err := k.applyStep(ctx, s, step); err != nil {
				return k.applied(steps, i, exit(ExitFailure, texterr.Wrap(text("cli.apply_stopped",
					"stopped at {connection}; what stands before it in the plan is done", "connection", fmt.Sprintf("%q", step.Name)), err)))
			}
		}
		return k.applied(steps, len(steps), nil)
	})
}

func (k ConnectionCommands) applyStep(ctx context.Context, s *connections.Service, step connections.Step) error {
	if step.Action == connections.Remove {
		now, err := s.Store.Connection(ctx, step.Old.ID)
		if err != nil {
			return err
		}
		if now.Revision != step.Old.Revision {
			return store.ErrConflict
		}
		_, err = s.Remove(ctx, step.Old, nil)
		return err
	}
	_, _, err := s.Put(ctx, step.Next, step.Old)
	return err
}

func (k ConnectionCommands) showPlan(steps []connections.Step) error {
	if len(steps) == 0 {
		_, err := fmt.Fprintln(k.Stdout, text("cli.plan_empty", "nothing to do: the connections are as the file says").In(k.Language))
		return err
	}
	words := map[string]mime.Text{connections.Create: text("cli.plan_create", "create"), connections.Change: text("cli.plan_change", "change"),
		connections.Remove: text("cli.plan_remove", "remove")}
	for _, step := range steps {
		line := words[step.Action].In(k.Language) + " " + terminal.Line(step.Name)
		if len(step.Fields) > 0 {
			line += ": " + strings.Join(step.Fields, ", ")
		}
		if _, err := fmt.Fprintln(k.Stdout, line); err != nil {
			return err
		}
	}
	return nil
}

// documents reads one connection, or an array of them.
func documents(content []byte) ([]map[string]any, error) {
	content = adapters.PlainText(content)
	var many []map[string]any
	if err := json.Unmarshal(content, &many); err == nil {
		return many, nil
	}
	var one map[string]any
	if err := json.Unmarshal(content, &one); err != nil {
		return nil, err
	}
	return []map[string]any{one}, nil
}
