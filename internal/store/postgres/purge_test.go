package postgres

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Whether something of an old message is unfinished is looked up for each by an
// index: as a join, each would be held against all that wait in the queue.
func TestPurgeIsLinear(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
		PREPARE oldest (bool, bigint, bigint, int) AS `+rowSchema().Oldest(" FOR UPDATE SKIP LOCKED")); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), `EXPLAIN EXECUTE oldest (false, 0, 1, 1000)`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(lines, "\n")
	if strings.Contains(plan, "Join") || strings.Contains(plan, "Materialize") ||
		!strings.Contains(plan, "messages_kept") || !strings.Contains(plan, "deliveries_unfinished") {
		t.Errorf("the plan is\n%s", plan)
	}
}

// The tables that retention empties are vacuumed at a pace beside which commits go
// on: without one, all wait for the log of the vacuum.
func TestVacuumHasAPace(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	for _, table := range []string{"messages", "deliveries", "attempts"} {
		var options string
		if err := s.DB.Read(t.Context(), `SELECT array_to_string(reloptions, ' ') FROM pg_class WHERE oid = $1::text::regclass`,
			[]any{table}, &options); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"autovacuum_vacuum_cost_delay=2", "autovacuum_vacuum_cost_limit=40",
			"autovacuum_vacuum_scale_factor=0.02"} {
			if !slices.Contains(strings.Fields(options), want) {
				t.Errorf("%s has no %s: %s", table, want, options)
			}
		}
	}
}
