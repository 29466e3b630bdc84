package sqlite

import "github.com/postino-mail/postino/internal/store/engine"

// Tally implements engine.Work.
func (t *tx) Tally() *engine.Tally { return &t.tally }

// writeHours adds what the transaction has counted.
func (t *tx) writeHours() error {
	for _, r := range t.tally.Take() {
		args := append(make([]any, 0, 15), r.Connection, r.Hour, r.Lane)
		for _, n := range r.Numbers() {
			args = append(args, n)
		}
		if err := t.exec(`INSERT INTO hours (`+engine.TallyColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+engine.AddTally,
			append(args, r.SentAt, r.ErrorAt, r.Error)...); err != nil {
			return err
		}
	}
	return nil
}
