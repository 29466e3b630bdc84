package sqlite

// LeasedBy implements engine.Work.
func (t *tx) LeasedBy(nodes []string) (rows []*deliveryRow, err error) {
	if err := t.writePlaced(); err != nil {
		return nil, err
	}
	for _, node := range nodes {
		if err := t.Each(`SELECT `+deliveryColumns+` FROM deliveries d INDEXED BY deliveries_leased`+deliveryTables+
			` WHERE d.node = ? AND d.state = 2`, []any{node}, func(sc scan) error {
			r := &deliveryRow{}
			rows = append(rows, r)
			err := sc(columns(r)...)
			r.Decode()
			return err
		}); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
