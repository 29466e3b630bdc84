package postgres

import "github.com/postino-mail/postino/internal/store/engine"

// remove removes the bytes of messages, or everything of them.
func remove(t engine.Tx, found []engine.PurgeTarget, records bool) (int, []string, error) {
	ids := make([][16]byte, len(found))
	for i, x := range found {
		ids[i] = x.ID
	}
	if !records {
		n, err := t.Exec(`WITH gone AS (UPDATE messages m SET kept = false, head = NULL, body = NULL
				WHERE m.id = ANY($1) AND (SELECT d.state FROM deliveries d WHERE d.msg = m.id AND d.state < 4 LIMIT 1) IS NULL RETURNING m.id),
			parts AS (DELETE FROM chunks USING gone WHERE chunks.message = gone.id)
			SELECT FROM gone`, ids)
		return int(n), nil, err
	}
	if _, err := t.Exec(`WITH gone AS (DELETE FROM deliveries WHERE msg = ANY($1) AND state >= 4 RETURNING id),
		words AS (DELETE FROM search WHERE id IN (SELECT id FROM gone))
		DELETE FROM attempts WHERE delivery IN (SELECT id FROM gone)`, ids); err != nil {
		return 0, nil, err
	}
	n, err := t.Exec(`WITH gone AS (DELETE FROM messages m
			WHERE m.id = ANY($1) AND (SELECT d.state FROM deliveries d WHERE d.msg = m.id LIMIT 1) IS NULL RETURNING m.id),
		parts AS (DELETE FROM chunks USING gone WHERE chunks.message = gone.id)
		SELECT FROM gone`, ids)
	return int(n), nil, err
}
