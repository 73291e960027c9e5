// Package doctor judges whether Patchbay's keys, database and surroundings are as they should be, and says what to do
// where they are not. It changes nothing, and none of its findings holds a secret.
package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// Severity says how much a finding matters, in rising order.
type Severity int

const (
	OK      Severity = iota // as it should be
	Info                    // worth knowing; nothing has to be done
	Warning                 // to be mended in good time
	Severe                  // secrets or tenants are at risk, or Patchbay does not work
)

var severities = []string{"ok", "info", "warning", "severe"}

func (s Severity) String() string { return severities[s] }

// MarshalText is the severity's word, for JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the word back.
func (s *Severity) UnmarshalText(text []byte) error {
	i := slices.Index(severities, string(text))
	if i < 0 {
		return fmt.Errorf("%q is no severity", text)
	}
	*s = Severity(i)
	return nil
}

// Finding is what one check found.
type Finding struct {
	Check    string   `json:"check"` // a slug that stays
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	// Remedy says what to do, SQL statements on lines of their own; empty where nothing is to be done.
	Remedy string `json:"remedy"`
}

// Report is what all checks found, in the order in which they ran.
type Report struct {
	Worst    Severity  `json:"worst"`
	Findings []Finding `json:"findings"`
}

func (r *Report) add(f ...Finding) {
	for _, one := range f {
		r.Worst = max(r.Worst, one.Severity)
		r.Findings = append(r.Findings, one)
	}
}

// Options say what to check. What is left out is reported as not checked, or passed over.
type Options struct {
	// Keys are the encryption keys of the environment, or why there are none.
	Keys Keys
	// DatabaseErr says why no connection can be tried; the next three are not used then.
	DatabaseErr error
	// Serving is how requests connect.
	Serving store.Options
	// OwnerURL is the owner's connection string.
	OwnerURL seal.Secret
	// Private is true for a database of Patchbay's own.
	Private bool
	// StateDir is the folder of the private database; empty where there is none.
	StateDir string
	// Origins are the providers' APIs, to be reached over the network; none are tried where it is empty.
	Origins []Origin
	// OpenID is the provider whose tokens are taken, to be reached over the network; not tried where nil.
	OpenID *OpenID

	// Now is the clock; time.Now where nil.
	Now func() time.Time
	// FreeSpace measures a folder's file system, in bytes; the system's answer where nil.
	FreeSpace func(dir string) (free, total uint64, err error)
	// Transport reaches the origins; http.DefaultTransport where nil.
	Transport http.RoundTripper
}

// connectTimeout bounds connecting to a database that does not answer.
const connectTimeout = 10 * time.Second

// Run makes every check that can be made.
func Run(ctx context.Context, o Options) *Report {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FreeSpace == nil {
		o.FreeSpace = freeSpace
	}
	r := &Report{}
	r.add(o.Keys.judge()...)
	r.add(o.database(ctx)...)
	if o.StateDir != "" {
		r.add(o.disk())
	}
	r.add(o.reach(ctx)...)
	if o.OpenID != nil {
		r.add(o.OpenID.judge(ctx))
	}
	return r
}

// database makes the checks that need a connection: as requests have it, as the owner has it, or both.
func (o *Options) database(ctx context.Context) (found []Finding) {
	if o.DatabaseErr != nil {
		return []Finding{{"database-connection", Severe, "The database cannot be used: " + o.DatabaseErr.Error() + ".",
			"Do what the message says; docs/configuration.md describes DATABASE_URL and PATCHBAY_MIGRATE_DATABASE_URL."}}
	}
	limited, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	safe := true // for passphrases to travel
	inspected := false
	session := func(variable string) func(*store.Inspection) error {
		return func(i *store.Inspection) error {
			s, err := i.Session(ctx)
			if err != nil {
				return err
			}
			judged := append(judgeTLS(s, variable), judgeLogging(s, variable)...)
			safe = safe && worst(judged) < Severe
			if !inspected {
				inspected = true
				clock, err := o.clock(ctx, i)
				if err != nil {
					return err
				}
				judged = append(slices.Concat([]Finding{judgeVersion(s)}, judged), clock)
			}
			found = append(found, judged...)
			return nil
		}
	}

	db, err := store.Open(limited, o.Serving)
	if err == nil {
		found = append(found, Finding{"database-connection", OK, "Requests can connect, and row-level security binds them.", ""})
		err = db.Inspect(ctx, session("DATABASE_URL"))
		defer db.Close()
	}
	unusable := err
	defer func() {
		// The roles and what they reach come with the migrations, which have a finding.
		if unusable != nil && slices.ContainsFunc(found, func(f Finding) bool { return f.Check == "migrations" && f.Severity == Severe }) {
			found = append(found, skipped("database-connection", "the database is not migrated"))
		} else if unusable != nil {
			found = append(found, Finding{"database-connection", Severe, "Requests cannot use the database: " + sentence(unusable), connectRemedy})
		}
	}()

	m, err := store.OpenMigrator(limited, o.OwnerURL, o.Serving.OwnLogin)
	if err == nil {
		defer m.Close()
		err = m.Inspect(limited, func(i *store.Inspection) error {
			if !inspected || o.Serving.OwnLogin { // one login needs to be judged once
				if err := session(o.ownerVariable())(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		if unusable == nil || o.Serving.OwnLogin {
			found = append(found, Finding{"owner-connection", Severe, "The owner's login cannot use the database: " + sentence(err), connectRemedy})
		}
		found = append(found, skipped("migrations", "the owner's login cannot connect"), skipped("sealed-rows", "the owner's login cannot connect"))
		if db != nil {
			err := db.Inspect(ctx, func(i *store.Inspection) error {
				f, err := o.rights(ctx, i, false)
				found = append(found, f...)
				return err
			})
			found = append(found, failed("rights", err)...)
		}
		return found
	}
	found = append(found, Finding{"owner-connection", OK, "The owner's login can connect.", ""})
	return append(found, o.asOwner(ctx, m, safe)...)
}

func (o *Options) ownerVariable() string {
	if o.Serving.OwnLogin {
		return "PATCHBAY_MIGRATE_DATABASE_URL"
	}
	return "DATABASE_URL"
}

const connectRemedy = "See that the server runs and accepts this login, and do what the message says; " +
	"docs/configuration.md describes the logins. `patchbay migrate up` makes the roles and the schema where they are missing."

// asOwner makes the checks of the schema and the rows.
func (o *Options) asOwner(ctx context.Context, m *store.Migrator, safe bool) (found []Finding) {
	status, err := m.Status(ctx)
	pending, migrated := 0, false
	for _, step := range status {
		if step.AppliedAt == nil {
			pending++
		} else {
			migrated = true
		}
	}
	var newer []int64
	if err == nil && migrated {
		err = m.Inspect(ctx, func(i *store.Inspection) error {
			if err := i.BecomeOwner(ctx); err != nil {
				return err
			}
			newer, err = i.NewerMigrations(ctx)
			return err
		})
	}
	if err != nil {
		found = append(found, failed("migrations", err)...)
	} else {
		found = append(found, judgeMigrations(status, newer)...)
	}
	if !migrated {
		for _, check := range []string{"rights", "keys-in-use", "sealing", "sealed-rows"} {
			found = append(found, skipped(check, "the database is not migrated"))
		}
		return found
	}
	err = m.Inspect(ctx, func(i *store.Inspection) error {
		f, err := o.rights(ctx, i, pending == 0 && len(newer) == 0)
		found = append(found, f...)
		found = append(found, failed("rights", err)...)
		size, err := i.Size(ctx)
		if err == nil {
			found = append(found, Finding{"database-size", Info, "The database takes " + bytes(uint64(size)) + ".", ""})
		}
		found = append(found, failed("database-size", err)...)
		if err := i.BecomeOwner(ctx); err != nil {
			return err
		}
		if pending > 0 {
			for _, check := range []string{"keys-in-use", "sealing", "sealed-rows"} {
				found = append(found, skipped(check, "migrations are pending"))
			}
			return nil
		}
		found = append(found, o.secrets(ctx, i, safe)...)
		return nil
	})
	return append(found, failed("sealed-rows", err)...)
}

// Startup makes the cheap checks on an open, migrated database and logs what is not as it should be. It returns when they
// are done; serving need not wait for it.
func Startup(ctx context.Context, db *store.DB, o Options, log *slog.Logger) {
	begun := time.Now()
	found, err := o.cheap(ctx, db)
	for _, f := range found {
		switch f.Severity {
		case Warning:
			log.WarnContext(ctx, f.Message, "check", f.Check, "remedy", f.Remedy)
		case Severe:
			log.ErrorContext(ctx, f.Message, "check", f.Check, "remedy", f.Remedy)
		}
	}
	if err != nil && ctx.Err() == nil {
		log.WarnContext(ctx, "not all checks at start could be made: `patchbay doctor` makes them", "error", err)
	}
	log.DebugContext(ctx, "the checks at start are done", "checks", len(found), "took", time.Since(begun))
}

func (o Options) cheap(ctx context.Context, db *store.DB) (found []Finding, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	err = db.Inspect(ctx, func(i *store.Inspection) error {
		s, err := i.Session(ctx)
		if err != nil {
			return err
		}
		found = slices.Concat([]Finding{judgeVersion(s)}, judgeTLS(s, "DATABASE_URL"), judgeLogging(s, "DATABASE_URL"))
		clock, err := o.clock(ctx, i)
		found = append(found, clock)
		return err
	})
	if err != nil {
		return found, err
	}
	m, err := store.OpenMigrator(ctx, o.OwnerURL, o.Serving.OwnLogin)
	if err != nil {
		return found, err
	}
	defer m.Close()
	err = m.Inspect(ctx, func(i *store.Inspection) error {
		if err := i.BecomeOwner(ctx); err != nil {
			return err
		}
		newer, err := i.NewerMigrations(ctx)
		if err != nil {
			return err
		}
		rights, err := o.rights(ctx, i, len(newer) == 0)
		found = append(found, rights...)
		return err
	})
	return found, err
}

// skipped is the finding of a check that could not be made for a reason that another finding tells.
func skipped(check, why string) Finding {
	return Finding{check, Info, "Not checked: " + why + ".", ""}
}

// failed is the finding of a check that ended with an error; none where there is no error.
func failed(check string, err error) []Finding {
	if err == nil {
		return nil
	}
	return []Finding{{check, Warning, "Could not be checked: " + sentence(err), "Mend what the message names, then run `patchbay doctor` again."}}
}

// sentence ends an error's text as a sentence ends.
func sentence(err error) string {
	text := err.Error()
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, ";") {
		return text
	}
	return text + "."
}

func worst(found []Finding) Severity {
	var w Severity
	for _, f := range found {
		w = max(w, f.Severity)
	}
	return w
}

// run is the remedy of SQL statements.
func run(statements ...string) string {
	return "Run in the database, as a superuser or the objects' owner:\n" + strings.Join(statements, "\n")
}
