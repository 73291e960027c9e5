package main

import (
	"fmt"
	"text/tabwriter"

	"patchbay/internal/store"
)

type (
	auditCommand struct {
		Verify auditVerifyCommand `cmd:"" help:"Follow the chains of the audit trail, and fail where an entry was removed or altered."`
	}
	auditVerifyCommand struct{}
)

// Run prints how each organisation's trail stands, and fails where one does not hold.
func (auditVerifyCommand) Run(a *app) error {
	return a.withMigrator(func(m *store.Migrator) error {
		reports, err := m.VerifyAudit(a.ctx)
		if err != nil {
			return err
		}
		broken := 0
		table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ORGANISATION\tCHAINED\tNOT CHAINED YET\tRESULT\tHEAD")
		for _, r := range reports {
			result := "holds"
			if r.Broken != nil {
				broken++
				result = fmt.Sprintf("broken at %d", *r.Broken)
			}
			fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\n", r.Org, r.Chained, r.Unchained, result, r.Head)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		if broken > 0 {
			return fmt.Errorf("the audit trail of %d organisations was altered", broken)
		}
		return nil
	})
}
