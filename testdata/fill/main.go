//go:build unix

// Command fill makes a store with millions of messages, and measures how long lists
// and searches take in it.
//
//	go run ./testdata/fill -dir /tmp/store -n 1000000           # SQLite
//	go run ./testdata/fill -database postgres://… -n 1000000    # PostgreSQL
//	go run ./testdata/fill -dir /tmp/store -probe 200           # p50, p95 and the slowest of so many calls of each kind
//
// The messages have records alone: their bytes are taken to be removed by retention.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/postgres"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/mime"
)

type options struct {
	dir, database  string
	n, connections int
	part, parts    int
	probe          int
	days           int
	only           string
	rows           bool
}

// outcome is that of every attempt.
const outcome = `{"ended_at":"2026-11-30T08:00:00Z","class":"accepted","receipt":{"provider":"smtp","route":"smtp","status":250,` +
	`"reply":"2.0.0 Ok: queued as 4Wxyz1234567","bytes":10000,"at":"2026-11-30T08:00:00Z"}}`

// hours is a statement that counts what is there by the hour, as far back as that is kept.
func hours() string {
	return fmt.Sprintf(`INSERT INTO hours (connection, hour, lane, accepted, sent, failed, expired, cancelled, held, delayed, throttled,
		waiting, sent_at, error_at, error)
		SELECT f.connection, d.finished_at / 3600000000, f.lane, count(*), count(CASE WHEN d.state = 4 THEN 1 END),
			count(CASE WHEN d.state = 5 THEN 1 END), 0, 0, count(CASE WHEN d.state = 3 THEN 1 END), 0, 0, 0, max(d.finished_at), 0, ''
		FROM deliveries d JOIN flows f ON f.id = d.flow WHERE d.finished_at >= %d GROUP BY 1, 2, 3 ON CONFLICT DO NOTHING`,
		time.Now().Add(-store.HoursKept).UnixMicro())
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "", "data folder of a SQLite store")
	flag.StringVar(&o.database, "database", "", "URL of a PostgreSQL database")
	flag.IntVar(&o.n, "n", 0, "messages to add")
	flag.IntVar(&o.connections, "connections", 20_000, "connections among which they go")
	flag.IntVar(&o.days, "days", 365, "days over which they lie")
	flag.IntVar(&o.part, "part", 0, "which part of the days, when they are filled in several runs: from 0")
	flag.IntVar(&o.parts, "parts", 1, "how many parts the days have")
	flag.IntVar(&o.probe, "probe", 0, "calls of each kind to measure")
	flag.StringVar(&o.only, "only", "", "beginning of the names of the kinds of calls to measure")
	flag.BoolVar(&o.rows, "rows", false, "print the rows for testdata/fill/sqlite.py instead")
	flag.Parse()
	if err := run(context.Background(), &o); err != nil {
		fmt.Fprintln(os.Stderr, "fill:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options) (err error) {
	if o.rows {
		return printRows(o)
	}
	st, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if o.n > 0 {
		start := time.Now()
		if err := fill(ctx, o); err != nil {
			return err
		}
		fmt.Printf("%d messages in %s\n", o.n, time.Since(start).Round(time.Millisecond))
	}
	if o.probe > 0 {
		return probe(ctx, st, o)
	}
	return nil
}

func open(ctx context.Context, o *options) (store.Store, error) {
	if o.database != "" {
		return postgres.Open(ctx, postgres.Options{URL: o.database, Dir: os.TempDir()})
	}
	return sqlite.Open(ctx, sqlite.Options{Dir: o.dir})
}

func fill(ctx context.Context, o *options) error {
	if o.database != "" {
		return fillPostgres(ctx, o)
	}
	return fillSQLite(ctx, o)
}

// A letter is one message with one delivery.
type letter struct {
	flow     int // number of the connection
	m        store.Message
	d        store.Delivery
	state    store.State
	received int64
}

// letters makes n messages that lie evenly over the days before now.
func letters(o *options, each func(*letter) error) error {
	r := rand.New(rand.NewPCG(1, 2+uint64(o.part)))
	words := rand.NewZipf(r, 1.2, 3, 20_000)
	people := rand.NewZipf(r, 1.05, 50, 500_000)
	days := time.Duration(o.days) * 24 * time.Hour
	span := days / time.Duration(o.parts)
	start := time.Now().Add(time.Duration(o.part)*span - days)
	for i := range o.n {
		at := start.Add(time.Duration(float64(span) * float64(i) / float64(o.n)))
		l := &letter{flow: r.IntN(o.connections), received: at.UnixMicro()}
		p := people.Uint64()
		from, err := mime.ParseMailbox(fmt.Sprintf("erp@customer%d.example", l.flow))
		if err != nil {
			return err
		}
		to := mime.Recipient{}
		if to.Address, err = mime.ParseMailbox(fmt.Sprintf("person%d@firm%d.example", p, p%20_000)); err != nil {
			return err
		}
		subject := fmt.Sprintf("Fattura %d", o.part*o.n+i)
		for range 4 {
			subject += " " + word(words.Uint64())
		}
		l.m = store.Message{ID: idAt(at, r), MessageID: fmt.Sprintf("<%d.%x@%s>", i, r.Uint64(), from.Domain()), Subject: subject,
			From:     from,
			Envelope: mime.Envelope{From: from, Recipients: []mime.Recipient{to}}, Size: 10_000, Client: fmt.Sprint("client-", l.flow%50),
			EntryPoint: "smtp", Class: "transactional", ReceivedAt: at, Names: []string{fmt.Sprintf("Persona %d", p)}}
		l.d = store.Delivery{ID: idAt(at, r), Recipients: []store.Recipient{{Recipient: to, State: store.RecipientSent, At: at}}}
		switch x := r.IntN(10_000); {
		case x < 30:
			l.state = store.Failed
		case x == 30:
			l.state = store.Held
		default:
			l.state = store.Sent
		}
		if err := each(l); err != nil {
			return err
		}
	}
	return nil
}

func word(n uint64) string {
	const syllables = "babedicafogumalenoraresotitutavazepi"
	s := ""
	for i := 0; i < 3; i++ {
		k := n % 18 * 2
		s += syllables[k : k+2]
		n /= 18
	}
	return s
}

func idAt(t time.Time, r *rand.Rand) store.ID {
	id := store.FirstID(t)
	a, b := r.Uint64(), r.Uint64()
	id[6] = 0x70 | byte(a)&0xf
	id[7], id[8] = byte(a>>8), 0x80|byte(a>>16)&0x3f
	for i := range 7 {
		id[9+i] = byte(b >> (8 * i))
	}
	return id
}

func connection(i int) *gateway.Connection {
	active := true
	c := &gateway.Connection{}
	c.Active, c.Revision = &active, 1
	c.ID, c.Name, c.Provider, c.From = fmt.Sprint("conn-", i), fmt.Sprint("Connection ", i), adapters.SMTP,
		fmt.Sprintf("erp@customer%d.example", i)
	if i%40 == 0 {
		c.Owner = "operator"
	}
	return c
}
