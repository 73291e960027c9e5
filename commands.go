package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"

	"patchbay/internal/auth"
	"patchbay/internal/config"
	"patchbay/internal/embedpg"
	"patchbay/internal/integration"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// commandLine is what `patchbay --help` describes.
type commandLine struct {
	Serve     serveCommand     `cmd:"" default:"withargs" help:"Migrate the database, serve the API and work on jobs until a signal ends it. The default."`
	Migrate   migrateCommand   `cmd:"" help:"Change the database's schema to what this program needs, or tell where it stands."`
	APIKey    apiKeyCommand    `cmd:"" name:"apikey" help:"Make API keys."`
	Work      workCommand      `cmd:"" help:"Work on jobs, such as key rotations, without serving the API, until a signal ends it."`
	Audit     auditCommand     `cmd:"" help:"Check the audit trail."`
	Key       keyCommand       `cmd:"" help:"Make encryption keys."`
	RotateKey rotateKeyCommand `cmd:"" name:"rotate-key" help:"Seal everything that an earlier encryption key sealed anew under the current one; servers may run."`
	Secrets   secretsCommand   `cmd:"" help:"Clear secrets that nobody can open any more."`
	Doctor    doctorCommand    `cmd:"" help:"Check keys, database and surroundings, and say what to do; docs/doctor.md lists the checks and the exit codes."`
	Adopt     adoptCommand     `cmd:"" help:"Take over the integrations and sync states of the earlier module."`
	Postgres  postgresCommand  `cmd:"" help:"Tell about the private PostgreSQL that is used while DATABASE_URL is not set."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

type (
	serveCommand struct {
		GenerateKey bool `help:"Make an encryption key and keep it beside the private database if there is none yet; make run does."`
	}
	migrateCommand struct {
		Up     migrateUpCommand     `cmd:"" default:"1" help:"Run what is pending. The default."`
		Status migrateStatusCommand `cmd:"" help:"List every migration and when it ran."`
	}
	migrateUpCommand     struct{}
	migrateStatusCommand struct{}
	apiKeyCommand        struct {
		Create apiKeyCreateCommand `cmd:"" help:"Make an API key and print it, alone, on standard output."`
	}
	apiKeyCreateCommand struct {
		Org     string      `required:"" help:"The organisation that it gives access to."`
		Role    string      `required:"" enum:"viewer,editor,admin" help:"What it may do: viewer, editor or admin."`
		Project []uuid.UUID `help:"Limit it to this project; may be repeated. All of the organisation's where left out."`
		Name    string      `required:"" help:"What it is for."`
	}
	keyCommand struct {
		Generate keyGenerateCommand `cmd:"" help:"Print a new encryption key, alone, on standard output."`
	}
	keyGenerateCommand struct{}
	postgresCommand    struct {
		URL    postgresURLCommand    `cmd:"" name:"url" help:"Print its connection string, password included, for psql while the server runs."`
		BinDir postgresBinDirCommand `cmd:"" name:"bindir" help:"Print the folder of the PostgreSQL programs that would be used."`
	}
	postgresURLCommand    struct{}
	postgresBinDirCommand struct{}
	versionCommand        struct{}
)

// operator is whom changes by the command line are recorded under.
const operator = "operator"

// run is the whole program: it parses the command line, reads the environment and runs one command. What was asked for
// goes to stdout, everything else to stderr.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	var line commandLine
	done := false
	parser, err := kong.New(&line,
		kong.Name("patchbay"),
		kong.Description("An integrations backend: one program and PostgreSQL. docs/configuration.md lists the environment variables."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { done = true }),
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if done { // --help was printed
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; see patchbay --help", err)
	}
	cfg, err := config.Load(environ)
	if err != nil {
		return err
	}
	return command.Run(&app{ctx: ctx, environ: environ, config: cfg, stdout: stdout, log: newLogger(cfg, stderr)})
}

// Run migrates and says what it did.
func (migrateUpCommand) Run(a *app) error {
	return a.withMigrator(func(m *store.Migrator) error {
		ran, err := m.Up(a.ctx)
		for _, step := range ran {
			fmt.Fprintf(a.stdout, "%s\n", step.Name)
		}
		if err == nil && len(ran) == 0 {
			fmt.Fprintln(a.stdout, "nothing is pending")
		}
		return err
	})
}

// Run lists the migrations.
func (migrateStatusCommand) Run(a *app) error {
	return a.withMigrator(func(m *store.Migrator) error {
		all, err := m.Status(a.ctx)
		table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		for _, step := range all {
			when := "pending"
			if step.AppliedAt != nil {
				when = step.AppliedAt.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\n", step.Name, when)
		}
		return errors.Join(err, table.Flush())
	})
}

func (a *app) withMigrator(fn func(*store.Migrator) error) error {
	return a.withDatabase(func(_ *place, d *database) error {
		m, err := d.migrator(a.ctx)
		if err != nil {
			return err
		}
		defer m.Close()
		return fn(m)
	})
}

// Run makes a key.
func (c *apiKeyCreateCommand) Run(a *app) error {
	if c.Org == "" || len(c.Org) > integration.MaxOrgID {
		return fmt.Errorf("--org must have 1 to %d characters", integration.MaxOrgID)
	}
	return a.withDatabase(func(p *place, d *database) error {
		if p.private() { // nobody else migrates it before the first start of the server
			if err := d.migrate(a.ctx); err != nil {
				return err
			}
		}
		db, err := store.Open(a.ctx, d.serving(integration.NewCatalogue()))
		if err != nil {
			return err
		}
		defer db.Close()
		by := integration.Principal{Subject: operator, Org: c.Org, Role: integration.RoleAdmin}
		_, text, err := auth.NewKeys(db).Create(a.ctx, by, auth.NewKey{
			Name:     c.Name,
			Role:     integration.Role(strings.ToUpper(c.Role)),
			Projects: c.Project,
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.stdout, text.Expose())
		return err
	})
}

// Run makes an encryption key.
func (keyGenerateCommand) Run(a *app) error {
	_, err := fmt.Fprintln(a.stdout, seal.GenerateKey().Expose())
	return err
}

// Run prints the connection string, starting the private PostgreSQL for as long as that takes if nothing runs it.
func (postgresURLCommand) Run(a *app) error {
	return a.withDatabase(func(p *place, d *database) error {
		if !p.private() {
			return errNotPrivate
		}
		_, err := fmt.Fprintln(a.stdout, d.url.Expose())
		return err
	})
}

// Run prints where the programs are, or fails where there are none.
func (postgresBinDirCommand) Run(a *app) error {
	place, err := a.place()
	if err != nil {
		return err
	}
	if !place.private() {
		return errNotPrivate
	}
	found, err := embedpg.FindBinaries(a.ctx, place.embedOptions())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, found.Dir)
	return err
}

// Run prints the version.
func (versionCommand) Run(a *app) error {
	_, err := fmt.Fprintln(a.stdout, "patchbay", version())
	return err
}

// version is what the binary was built from: set by the Makefile, or the module's own.
func version() string {
	if builtVersion != "" {
		return builtVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// builtVersion is set by `make build`.
var builtVersion string
