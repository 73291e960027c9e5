package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// riverSchema holds River's tables: the queue of jobs.
const riverSchema = "river"

// WebhookQueue is the queue of what webhooks tell.
const WebhookQueue = "webhook"

// RotationQueue is the queue of key rotations. They have one of their own, so that nothing else keeps them waiting.
const RotationQueue = "rotation"

const (
	// jobTimeout ends a job's context. Jobs are slices of a few seconds each, which queue the next one as they end.
	jobTimeout = 30 * time.Second
	// jobRescue is when River gives a job to another worker whose own has died. What must go on sooner holds a lease.
	jobRescue = 2 * time.Minute
	// jobPoll is how long a queued job waits at most while a worker is free. Workers poll: LISTEN would need a connection
	// of its own, and a pooler in transaction mode does not pass it on.
	jobPoll = 300 * time.Millisecond
	// jobCooldown is the least time between two looks for jobs; with so many workers as there are and River's own 100 ms,
	// a thousand short jobs would take a minute.
	jobCooldown = 10 * time.Millisecond
	// jobAttempts is how often a job that fails is tried.
	jobAttempts = 5
	// softStop is how long jobs may go on after Stop before their contexts end.
	softStop = 8 * time.Second
	// rotationWorkers is for a pool of 8 or more; with a smaller one it is half of the pool, since requests need
	// connections too.
	rotationWorkers = 2
	// syncWorkers is how many runs a process works on at once. They wait for third parties most of the time, and hold a
	// connection while they store a page only.
	syncWorkers = 8
	// webhookWorkers is how many objects a process reads at once for webhooks. They wait for third parties too.
	webhookWorkers = 16
)

// newInserter makes the client that queues jobs and works on none.
func newInserter(pool *pgxpool.Pool) (*river.Client[pgx.Tx], error) {
	return river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema:      riverSchema,
		MaxAttempts: jobAttempts,
		Logger:      slog.New(slog.DiscardHandler), // errors are returned
	})
}

// Enqueue queues a job that commits with the transaction; outside InTx it is an error. River's tables belong to no tenant:
// arguments hold ids only.
func (t *Tenant) Enqueue(ctx context.Context, args river.JobArgs) error {
	if t.tx == nil {
		return errors.New("store: Enqueue outside InTx")
	}
	if _, err := t.db.inserter.InsertTx(ctx, t.tx, args, nil); err != nil {
		return fmt.Errorf("queue a job of kind %s: %w", args.Kind(), translate(err))
	}
	return nil
}

// Crew works on jobs until it is stopped.
type Crew struct {
	stop func() error
}

// Work starts to work on jobs in this process. Each of register adds its workers. What goes wrong in a job is logged.
func (db *DB) Work(ctx context.Context, log *slog.Logger, register ...func(*river.Workers)) (*Crew, error) {
	workers := river.NewWorkers()
	for _, r := range register {
		r(workers)
	}
	client, err := river.NewClient(riverpgxv5.New(db.pool), &river.Config{
		Schema:      riverSchema,
		MaxAttempts: jobAttempts,
		Logger:      slog.New(atLeastWarn{log.Handler()}),
		Queues: map[string]river.QueueConfig{
			SyncQueue:     {MaxWorkers: syncWorkers},
			WebhookQueue:  {MaxWorkers: webhookWorkers},
			RotationQueue: {MaxWorkers: min(rotationWorkers, max(1, int(db.pool.Config().MaxConns)/2))},
		},
		Workers:              workers,
		Middleware:           []rivertype.Middleware{river.WorkerMiddlewareFunc(recovered)},
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: jobRescue,
		FetchPollInterval:    jobPoll,
		FetchCooldown:        jobCooldown,
		PollOnly:             true,
		ReindexerIndexNames:  []string{}, // that needs the tables' owner
		SoftStopTimeout:      softStop,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare to work on jobs: %w", err)
	}
	// It ends by Stop, not with ctx.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, fmt.Errorf("start to work on jobs: %w", translate(err))
	}
	return &Crew{stop: sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), softStop+5*time.Second)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			return fmt.Errorf("stop working on jobs: %w", translate(err))
		}
		return nil
	})}, nil
}

// Stop claims no more jobs and waits for those that run, for a while; then it ends their contexts, and others take them
// up. It may be called twice.
func (c *Crew) Stop() error { return c.stop() }

// recovered turns a job's panic into an error without the panic's value, which may quote anything: River keeps a job's
// errors in its table.
func recovered(ctx context.Context, _ *rivertype.JobRow, work func(context.Context) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic of type %T", value)
		}
	}()
	return work(ctx)
}

// atLeastWarn leaves out what River tells of its daily life.
type atLeastWarn struct{ slog.Handler }

func (h atLeastWarn) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

func (h atLeastWarn) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeastWarn{h.Handler.WithAttrs(attrs)}
}

func (h atLeastWarn) WithGroup(name string) slog.Handler {
	return atLeastWarn{h.Handler.WithGroup(name)}
}

// migrateRiver brings River's tables up to what this program's River needs, on connections of their owner, and lets the
// serving role use them. Nothing else about the schema is granted.
func migrateRiver(ctx context.Context, pool *pgxpool.Pool) error {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: riverSchema, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `
		DO $do$
		DECLARE
			name text;
		BEGIN
			FOR name IN
				SELECT c.relname
				FROM pg_class c
				WHERE c.relnamespace = '`+riverSchema+`'::regnamespace
					AND c.relkind IN ('r', 'p')
					AND c.relname <> 'river_migration'
					AND NOT (has_table_privilege('`+serveRole+`', c.oid, 'SELECT') AND has_table_privilege('`+serveRole+`', c.oid, 'INSERT')
						AND has_table_privilege('`+serveRole+`', c.oid, 'UPDATE') AND has_table_privilege('`+serveRole+`', c.oid, 'DELETE'))
			LOOP
				EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON `+riverSchema+`.%I TO `+serveRole+`', name);
			END LOOP;
			FOR name IN
				SELECT c.relname
				FROM pg_class c
				WHERE c.relnamespace = '`+riverSchema+`'::regnamespace
					AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege('`+serveRole+`', c.oid, 'USAGE') END
			LOOP
				EXECUTE format('GRANT USAGE ON SEQUENCE `+riverSchema+`.%I TO `+serveRole+`', name);
			END LOOP;
		END
		$do$`)
	return err
}
