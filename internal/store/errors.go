package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"patchbay/internal/integration"
)

// ErrStale is returned by guarded updates whose row has another revision by now, or is gone.
var ErrStale = errors.New("store: the row has changed meanwhile")

// ErrBusy is the Conflict of what waited too long for another that writes the same.
var ErrBusy = integration.Conflict("", "the integration is being written at this moment: try again")

// SQLSTATEs of which clients are told more than "internal".
const (
	uniqueViolation     = "23505"
	foreignKeyViolation = "23503"
	invalidCharacter    = "22021" // also a NUL in a text
	untranslatable      = "22P05" // a NUL in JSON
	undefinedTable      = "42P01"
	undefinedColumn     = "42703"
	invalidSchema       = "3F000"
	undefinedFunction   = "42883"
	insufficientRights  = "42501"
	deadlock            = "40P01"
	lockNotAvailable    = "55P03" // by lock_timeout
	queryCanceled       = "57014" // by statement_timeout
	// What pgcrypto raises for a wrong passphrase or a damaged message, and decode() for damaged base64. Nothing else
	// in our statements raises the two.
	externalRoutine = "39000"
	invalidParam    = "22023"
)

var nameTaken = integration.Conflict("name", "this project has an integration of that name already")

// constraints maps the names of constraints to what a client is told when it breaks them.
var constraints = map[string]*integration.Error{
	"integrations_project_id_name_key": nameTaken,
	"integrations_project_id_fkey":     integration.NotFound("no such project"),
	"sync_runs_live_key":               liveRun,
	"projects_pkey":                    integration.Conflict("id", "this id cannot be used: leave it out, or give another"),
}

// translate turns a driver's error into one of ours, once, at the bottom. What it does not know stays as it is, and is
// internal to everyone above.
func translate(err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return withoutDSN(err)
	}
	safe := &databaseError{pg.Code, pg.ConstraintName, pg.Message}
	if strings.HasPrefix(pg.Code, "22") { // a value that was refused, which the message may quote
		safe.message = "a value was refused"
	}
	switch pg.Code {
	case uniqueViolation, foreignKeyViolation:
		if known, ok := constraints[pg.ConstraintName]; ok {
			return known
		}
	case invalidCharacter, untranslatable:
		return integration.Invalid("", "text must be valid UTF-8 without NUL characters")
	case externalRoutine, invalidParam:
		return integration.Unreadable("the stored secrets do not open: they are damaged, or were copied from another row; give every secret setting anew")
	case lockNotAvailable:
		return ErrBusy
	case undefinedTable, invalidSchema, undefinedFunction:
		return fmt.Errorf("the database is not migrated: run `patchbay migrate up`: %w", safe)
	}
	return safe
}

// databaseError keeps of PostgreSQL's error what quotes no value: DETAIL, CONTEXT and the like are left behind.
type databaseError struct {
	code, constraint, message string
}

func (e *databaseError) Error() string {
	if e.constraint != "" {
		return fmt.Sprintf("database: %s (SQLSTATE %s, constraint %s)", e.message, e.code, e.constraint)
	}
	return fmt.Sprintf("database: %s (SQLSTATE %s)", e.message, e.code)
}

// withoutDSN drops pgx's connection details from an error, which name the user and the database.
func withoutDSN(err error) error {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return fmt.Errorf("cannot connect to %s: %w", connect.Config.Host, connect.Unwrap())
	}
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errors.New("it cannot be read: expected postgres://user:password@host:port/database, or key=value pairs")
	}
	return err
}

// cannotBecome is the error of a connection that could not take its role. It wraps nothing: no statement that a request
// sent was refused.
func cannotBecome(role string, err error) error {
	return fmt.Errorf("become the role %s: %v; run `patchbay migrate up` with the owner's login first", role, err)
}

// IsValueRefused reports whether the database refused a value: too large for what it is, or of a form that it cannot hold.
func IsValueRefused(err error) bool {
	var db *databaseError
	return errors.As(err, &db) && (strings.HasPrefix(db.code, "22") || strings.HasPrefix(db.code, "54")) ||
		integration.IsKind(err, integration.KindInvalid) || integration.IsKind(err, integration.KindUnreadable) // as translate words some
}

// isRefused reports whether the database's own privileges refused the statement.
func isRefused(err error) bool { return hasCode(err, insufficientRights) }

// hasCode reports whether err is PostgreSQL's error of that SQLSTATE.
func hasCode(err error, code string) bool {
	var db *databaseError
	return errors.As(err, &db) && db.code == code
}
