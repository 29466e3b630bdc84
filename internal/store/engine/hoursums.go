package engine

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

const (
	// overAfter is how long after its end an hour does not change any more: transactions
	// that began in it are done, and the nodes' clocks differ by less.
	overAfter = 10 * time.Minute
	// summedAtOnce is how many hours are added up at once: of 20,000 connections each may
	// have as many rows.
	summedAtOnce = 24
)

// hourSums are the columns of a sum of hours, as a query reads them.
const hourSums = `CAST(sum(accepted) AS BIGINT), CAST(sum(sent) AS BIGINT), CAST(sum(failed) AS BIGINT), CAST(sum(expired) AS BIGINT),
	CAST(sum(cancelled) AS BIGINT), CAST(sum(held) AS BIGINT), CAST(sum(delayed) AS BIGINT), CAST(sum(throttled) AS BIGINT),
	CAST(sum(waiting) AS BIGINT)`

// hourCounts are their names.
const hourCounts = `accepted, sent, failed, expired, cancelled, held, delayed, throttled, waiting`

// scanHour reads an hour, then the name where there is one, then the sums.
func scanHour(sc Scan, h *store.HourOfMail, of ...any) error {
	var hour int64
	err := sc(append(append([]any{&hour}, of...), &h.Accepted, &h.Sent, &h.Failed, &h.Expired, &h.Cancelled, &h.Held, &h.Delayed,
		&h.Throttled, &h.Waiting)...)
	h.Hour = time.Unix(hour*secondsOfHour, 0).UTC()
	return err
}

// SumHours implements store.Admin. Each hour from the first that there is to the last
// that is over has a row of sums, quiet ones too, so that the greatest tells how far
// they go. The last ones are added up once more whenever an hour is over: an outcome
// that could not be written for a while counts in the hour in which it was known, and
// what a clock that was ahead has added up too early goes. Two nodes write the same.
func (p Ports) SumHours(ctx context.Context, now time.Time) (more bool, err error) {
	last, err := p.summedTo(ctx)
	if err != nil {
		return false, err
	}
	if last == 0 {
		err = p.DB.Read(ctx, `SELECT hour FROM hours ORDER BY hour LIMIT 1`, nil, &last)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		last--
	}
	over := hourNumber(now.Add(-overAfter)) - 1
	last = max(last, over-int64(store.HoursKept/time.Hour)) // a clock that began in 1970 makes no work
	if last == over {
		return false, nil
	}
	until := min(last+summedAtOnce, over)
	first := until - summedAtOnce + 1
	sums, err := p.sumsOf(ctx, first, until)
	if err != nil {
		return false, err
	}
	return until < over, p.DB.Do(ctx, func(t Tx) error {
		if _, err := t.Exec(`DELETE FROM hours_over WHERE hour >= $1`, first); err != nil {
			return err
		}
		for i, c := range sums {
			if _, err := t.Exec(`INSERT INTO hours_over (hour, `+hourCounts+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
				ON CONFLICT (hour) DO NOTHING`, first+int64(i), c.Accepted, c.Sent, c.Failed, c.Expired, c.Cancelled, c.Held, c.Delayed,
				c.Throttled, c.Waiting); err != nil {
				return err
			}
		}
		return nil
	})
}

// sumsOf adds up the hours from first to until, one sum for each.
func (p Ports) sumsOf(ctx context.Context, first, until int64) ([]store.Counts, error) {
	sums := make([]store.Counts, until-first+1)
	err := p.DB.List(ctx, `SELECT hour, `+hourSums+` FROM hours`+p.Schema.By("hours_hour")+` WHERE hour >= $1 AND hour <= $2 GROUP BY hour`,
		[]any{first, until}, func() { clear(sums) }, func(sc Scan) error {
			var h store.HourOfMail
			err := scanHour(sc, &h)
			if err == nil {
				sums[hourNumber(h.Hour)-first] = h.Counts
			}
			return err
		})
	return sums, err
}

// summedTo is the last hour that has a row of sums; 0: none has.
func (p Ports) summedTo(ctx context.Context) (last int64, err error) {
	err = p.DB.Read(ctx, `SELECT coalesce(max(hour), 0) FROM hours_over`, nil, &last)
	return last, err
}

// summed returns those of the hours of r, for all connections, that have a row of sums,
// and moves r behind them.
func (p Ports) summed(ctx context.Context, r *store.HistoryRequest) (out []store.HourOfMail, err error) {
	last, err := p.summedTo(ctx)
	if err != nil || last < hourNumber(r.Since) {
		return nil, err
	}
	until := last
	if !r.Until.IsZero() {
		until = min(until, hourNumber(r.Until))
	}
	err = p.DB.List(ctx, `SELECT hour, `+hourCounts+` FROM hours_over WHERE hour >= $1 AND hour <= $2 ORDER BY hour`,
		[]any{hourNumber(r.Since), until}, func() { out = nil }, func(sc Scan) error {
			var h store.HourOfMail
			err := scanHour(sc, &h)
			if h.Counts != (store.Counts{}) {
				out = append(out, h)
			}
			return err
		})
	r.Since = time.Unix((last+1)*secondsOfHour, 0).UTC()
	return out, err
}
