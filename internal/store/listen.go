package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// listenCheck is how long a silent connection is believed to be alive, and checkTimeout how long it may take to prove it.
	listenCheck  = 15 * time.Second
	checkTimeout = 5 * time.Second
)

// Listen hears Events over a connection of its own until ctx ends or the connection breaks, and returns why. ready is
// called once everything that is published from then on will be heard; heard and ready must not block. Behind a pooler in
// transaction mode nothing would be heard: o.URL names PostgreSQL itself.
func Listen(ctx context.Context, o Options, ready func(), heard func(Event)) error {
	cfg, err := pgxpool.ParseConfig(o.URL.Expose()) // unlike pgx.ParseConfig it knows the pool's own settings
	if err != nil {
		return withoutDSN(err)
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "patchbay listen"
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", withoutDSN(err))
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // it is gone either way
	}()
	if !o.OwnLogin {
		if err := giveUpLogin(ctx, conn); err != nil {
			return err
		}
	}
	if _, err := conn.Exec(ctx, "LISTEN "+syncChannel); err != nil {
		return translate(err)
	}
	ready()
	for {
		wait, cancel := context.WithTimeout(ctx, listenCheck)
		n, err := conn.WaitForNotification(wait)
		silent := wait.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			var e Event
			if json.Unmarshal([]byte(n.Payload), &e) == nil { // anybody may send there
				heard(e)
			}
		case silent:
			if err := alive(ctx, conn); err != nil {
				return err
			}
		default:
			return translate(err)
		}
	}
}

func alive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return translate(conn.Ping(ctx))
}

// giveUpLogin leaves a connection with the privileges of the serving role.
func giveUpLogin(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "SET ROLE "+serveRole); err != nil {
		return cannotBecome(serveRole, err)
	}
	return nil
}
