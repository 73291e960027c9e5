package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"patchbay/internal/config"
	"patchbay/internal/integration"
	"patchbay/internal/store"
)

type (
	secretsCommand struct {
		Forget forgetCommand `cmd:"" help:"Clear everything that a lost encryption key sealed: integrations stay, and lose their secrets. Without --confirm, tell what would be cleared, and fail."`
	}
	forgetCommand struct {
		KeyID   string `name:"key-id" required:"" help:"The lost key's id, as the refusal to start and patchbay doctor name it."`
		Confirm bool   `help:"Clear it, for good."`
	}
)

// Run clears organisation by organisation, so that what was interrupted can be run again. It works while a server
// refuses to start for the key's sake, and without any key.
func (c *forgetCommand) Run(a *app) error {
	return a.withDatabase(func(p *place, d *database) error {
		if err := c.refuseHeld(p); err != nil {
			return err
		}
		db, err := store.Open(a.ctx, d.serving(integration.NewCatalogue()))
		if err != nil {
			return err
		}
		defer db.Close()
		inUse, err := db.SealingKeys(a.ctx)
		if err != nil {
			return err
		}
		if inUse[c.KeyID] == 0 {
			return c.unknown(inUse)
		}
		orgs, err := db.OrganisationsToRotate(a.ctx, "") // all that have something sealed
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ORGANISATION\tINTEGRATIONS")
		total := 0
		for _, org := range orgs {
			n, err := c.forget(a, db.Tenant(integration.Scope{Org: org, Actor: operator}))
			if err != nil {
				return errors.Join(fmt.Errorf("organisation %q: %w", org, err), table.Flush())
			}
			if n > 0 {
				total += n
				fmt.Fprintf(table, "%s\t%d\n", org, n)
			}
		}
		if err := table.Flush(); err != nil {
			return err
		}
		if !c.Confirm {
			return fmt.Errorf("nothing was changed: with --confirm, these %d integrations lose their secret settings and webhook secrets, for good", total)
		}
		fmt.Fprintf(a.stdout, "%d integrations lost their secrets, and need them anew\n", total)
		return nil
	})
}

// refuseHeld fails for a key that is not lost: it is among those of the environment. Without any key there, --confirm alone
// decides.
func (c *forgetCommand) refuseHeld(p *place) error {
	ring, err := p.keys(false)
	switch {
	case errors.Is(err, config.ErrNoKey) && p.config.PreviousEncryptionKeys.IsZero():
		fmt.Fprintln(p.stdout, "INTEGRATION_ENCRYPTION_KEY is not set, so it was not looked whether the key is really lost")
		return nil
	case err != nil:
		return err
	case ring.Has(c.KeyID):
		return fmt.Errorf("the key %s is not lost: INTEGRATION_ENCRYPTION_KEY or INTEGRATION_ENCRYPTION_PREVIOUS_KEYS has it, and `patchbay rotate-key` "+
			"seals anew what it opens; nothing was changed", c.KeyID)
	}
	return nil
}

// unknown tells which keys there are.
func (c *forgetCommand) unknown(inUse map[string]int) error {
	if len(inUse) == 0 {
		return fmt.Errorf("no integration was sealed with a key %q, nor with any other", c.KeyID)
	}
	var known []string
	for _, id := range slices.Sorted(maps.Keys(inUse)) {
		known = append(known, fmt.Sprintf("%s (%d integrations)", id, inUse[id]))
	}
	return fmt.Errorf("no integration was sealed with a key %q; the keys in use are %s", c.KeyID, strings.Join(known, ", "))
}

// forget clears what the key sealed in an organisation, where that is confirmed, and returns how many integrations these are.
func (c *forgetCommand) forget(a *app, tenant *store.Tenant) (n int, err error) {
	if c.Confirm {
		err := tenant.InTx(a.ctx, func(tx *store.Tenant) (err error) {
			n, err = tx.ForgetKey(a.ctx, c.KeyID)
			return err
		})
		return n, err
	}
	status, err := tenant.EncryptionStatus(a.ctx)
	if err != nil {
		return 0, err
	}
	for _, sealed := range status.SealedRows {
		if sealed.KeyID == c.KeyID {
			n = sealed.Rows
		}
	}
	return n, nil
}
