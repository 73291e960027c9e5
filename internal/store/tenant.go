package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
)

// Tenant is the database as one scope sees it. It is a small value, made per request or job.
type Tenant struct {
	db    *DB
	scope integration.Scope
	tx    pgx.Tx // nil outside InTx
}

// Tenant narrows the database to a scope. A scope without an organisation sees nothing.
func (db *DB) Tenant(scope integration.Scope) *Tenant { return &Tenant{db: db, scope: scope} }

// setScope tells row-level security who asks. With true, the settings end with the transaction that they are set in.
const setScope = `SELECT set_config('app.org', $1, true), set_config('app.projects', $2, true)`

func (t *Tenant) scopeArgs() []any {
	if t.scope.Projects == nil {
		return []any{t.scope.Org, ""}
	}
	ids := make([]string, len(t.scope.Projects))
	for i, id := range t.scope.Projects {
		ids[i] = id.String()
	}
	return []any{t.scope.Org, "{" + strings.Join(ids, ",") + "}"}
}

// send runs what fill queues, with the scope set before it, in one round trip. Outside InTx the whole batch is one
// implicit transaction: PostgreSQL ends it at the batch's end, and with it the scope.
func (t *Tenant) send(ctx context.Context, fill func(*pgx.Batch)) error {
	if t.tx != nil {
		b := &pgx.Batch{}
		fill(b)
		return translate(t.tx.SendBatch(ctx, b).Close())
	}
	for tries := 0; ; tries++ {
		b := &pgx.Batch{}
		b.Queue(setScope, t.scopeArgs()...)
		fill(b)
		err := translate(t.db.pool.SendBatch(ctx, b).Close())
		if tries == deadlockRetries || !hasCode(err, deadlock) { // which has rolled everything back
			return err
		}
	}
}

// deadlockRetries is how often a batch is sent again that another transaction and it waited for each other with. Our own
// statements lock in one order (a run, its state, its integration); a host product's may not.
const deadlockRetries = 3

// briefly bounds how long each statement after it waits for a lock, until the transaction's end: whoever waits keeps a connection from
// all other tenants. ErrBusy comes of it.
const briefly = `SELECT set_config('lock_timeout', '2s', true)`

// InTx runs fn in one transaction of the same scope, and commits unless fn returns an error or panics. A transaction
// inside another one is an error.
func (t *Tenant) InTx(ctx context.Context, fn func(*Tenant) error) error {
	if t.tx != nil {
		return errors.New("store: InTx inside InTx")
	}
	return translate(pgx.BeginFunc(ctx, t.db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, setScope, t.scopeArgs()...); err != nil {
			return fmt.Errorf("set the tenant: %w", err)
		}
		return fn(&Tenant{db: t.db, scope: t.scope, tx: tx})
	}))
}

// into is a QueuedQuery.QueryRow callback that scans one row into dst, and leaves dst as it is where there is none.
func into[T any](dst **T, scan func(pgx.Row) (*T, error)) func(pgx.Row) error {
	return func(row pgx.Row) error {
		v, err := scan(row)
		switch {
		case err == nil:
			*dst = v
			return nil
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		default:
			return err
		}
	}
}

// scanIfAny is a QueuedQuery.QueryRow callback that scans one row into columns, and leaves them as they are where there is none.
func scanIfAny(columns ...any) func(pgx.Row) error {
	return func(row pgx.Row) error {
		if err := row.Scan(columns...); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	}
}
