package sqlite

import (
	"context"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// LeasedBy implements engine.Work.
func (t *tx) LeasedBy(nodes []string) (rows []*deliveryRow, err error) {
	for _, node := range nodes {
		if err := t.each(`SELECT `+deliveryColumns+` FROM deliveries d INDEXED BY deliveries_leased`+deliveryTables+
			` WHERE d.node = ? AND d.state = 2`, []any{node}, func(sc scan) error {
			r := &deliveryRow{}
			rows = append(rows, r)
			err := dbErr(sc(columns(r)...))
			r.Decode()
			return err
		}); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// settle takes a transition in a transaction shared with others.
func (s *Store) settle(ctx context.Context, st *engine.Settlement) error {
	encoded, err := encodeStep(&st.Transition, st.Outcome)
	if err != nil {
		return err
	}
	msgs, bytes, err := s.ready(ctx, st.Now, st.Notifications.Messages)
	if err != nil {
		return err
	}
	var out []store.Submitted
	err = s.run(ctx, &op{bytes: bytes, fn: func(t *tx) error {
		t.encoded = encoded
		defer func() { t.encoded = nil }()
		if err := st.Settle(t); err != nil {
			return err
		}
		if len(msgs) > 0 {
			if out, err = t.submit(&st.Notifications, msgs); err != nil {
				return err
			}
		}
		t.Append(st.Events)
		return nil
	}})
	s.settleBodies(msgs, out, err)
	return err
}
