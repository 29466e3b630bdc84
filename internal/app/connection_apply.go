package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// ExitPlanned is the exit code of a plan that would change something.
const ExitPlanned = 2

// An applyDoc is a plan and what came of it, for --json.
type applyDoc struct {
	Plan    []view.PlanStep `json:"plan"`
	Applied int             `json:"applied"` // steps of the plan that are done: all or none
	Error   *Failure        `json:"error,omitempty"`
}

// applied prints how many steps of a plan are done; stopped is why none.
func (k ConnectionCommands) applied(steps []connections.Step, done int, stopped error) error {
	if !k.JSON {
		if stopped != nil || done == 0 {
			return stopped
		}
		_, err := fmt.Fprintln(k.Stdout, mime.NewCount("cli.applied", done, "one change applied", "{count} changes applied").In(k.Language))
		return err
	}
	doc := applyDoc{Plan: []view.PlanStep{}, Applied: done}
	for _, s := range steps {
		doc.Plan = append(doc.Plan, view.PlanStep{Action: s.Action, Name: s.Name, Fields: s.Fields})
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

// Apply makes the stored connections those of a file or folder: it shows a plan,
// asks, and does it in one transaction. Where a connection was changed since the
// plan was made, nothing is.
func (k ConnectionCommands) Apply(ctx context.Context, o ApplyOptions) error {
	docs, err := k.documents(o)
	if err != nil {
		return err
	}
	return withNewStore(ctx, k.Storage, func(st store.Store) (err error) {
		all, err := st.Connections(ctx)
		if err != nil {
			return err
		}
		people, err := st.People(ctx)
		if err != nil {
			return err
		}
		steps, err := connections.Planner{Stored: all, People: connections.AddressesOf(people), Admin: true, Prune: o.Prune}.Plan(docs)
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
		if err := k.sure(ctx, o); err != nil {
			return err
		}
		return k.watching(ctx, st, func() error {
			terminal.Show(ctx, mime.NewCount("cli.progress_applying", len(steps), "applying one change", "applying {count} changes"))
			_, underWay, err := (&connections.Service{Store: st, Wait: k.Wait}).Apply(ctx, steps)
			if err != nil {
				return k.applied(steps, 0, exit(ExitFailure, texterr.Wrap(text("cli.apply_failed", "nothing was applied"), err)))
			}
			if err := k.applied(steps, len(steps), nil); err != nil {
				return err
			}
			return k.stillUnderWay(underWay)
		})
	})
}

// sure asks whether a plan is to be done.
func (k ConnectionCommands) sure(ctx context.Context, o ApplyOptions) error {
	if o.Yes {
		return nil
	}
	p, err := prompt.New(k.Stdin, k.Stdout)
	if err != nil || o.File == "-" || k.JSON {
		return wrong(ExitUsage, mime.NewText("cli.apply_needs_yes", "there is no one to ask: give --yes to apply the plan, --plan to see it"))
	}
	sure, err := p.Confirm(ctx, text("cli.apply_sure", "Apply this plan?").In(k.Language), text("cli.yes", "yes").In(k.Language),
		text("cli.no", "no").In(k.Language))
	if err != nil || !sure {
		return notSaved(ctx, errors.Join(err, wrong(ExitFailure, mime.NewText("cli.apply_declined", "nothing was applied"))))
	}
	return nil
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
