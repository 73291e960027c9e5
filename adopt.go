package main

import (
	"errors"
	"fmt"

	"patchbay/internal/adopt"
	"patchbay/internal/provider"
	"patchbay/internal/provider/builtin"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// adoptCommand takes over the earlier module's data; docs/adopt.md tells how.
type adoptCommand struct {
	From     seal.Secret `xor:"source" required:"" placeholder:"URL" help:"Connection string of the database that has the earlier module's tables. It is only read."`
	InPlace  bool        `xor:"source" required:"" help:"The earlier module's tables are in this very database: rename them, migrate, and copy."`
	DryRun   bool        `help:"Change nothing, and report what would be done."`
	TimeZone string      `default:"UTC" placeholder:"ZONE" help:"The time zone, such as Europe/Berlin, of stored times that have none; UTC where left out."`
}

// Run adopts and reports. It fails where rows were left.
func (c *adoptCommand) Run(a *app) (err error) {
	if err := store.CheckURL(c.From); err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	if c.From.IsZero() && !c.InPlace { // pgx would take what it finds on this machine
		return errors.New("--from: it is empty; expected postgres://user:password@host:port/database")
	}
	place, err := a.place()
	if err != nil {
		return err
	}
	ring, err := place.keys(false) // before a private database is made for nothing
	if err != nil {
		return err
	}
	providers, err := provider.NewRegistry("", builtin.All()...)
	if err != nil {
		return err
	}
	database, err := place.open(a.ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.close()) }()
	migrator, err := database.migrator(a.ctx)
	if err != nil {
		return err
	}
	defer migrator.Close()
	source := c.From
	if c.InPlace {
		source = database.migrateURL
	}
	report, err := adopt.Run(a.ctx, adopt.Options{
		Target:    migrator,
		Source:    source,
		InPlace:   c.InPlace,
		DryRun:    c.DryRun,
		TimeZone:  c.TimeZone,
		Key:       a.config.AdoptKey,
		Ring:      ring,
		Providers: providers,
	})
	if report != nil {
		_, written := report.WriteTo(a.stdout)
		err = errors.Join(err, written)
	}
	if err != nil {
		return err
	}
	if left := report.Left(); left > 0 {
		return fmt.Errorf("%d rows were left, each with its reason in the report; running it again tries only these", left)
	}
	return nil
}
