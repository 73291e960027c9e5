package main

import (
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"

	"patchbay/internal/store"
)

type (
	auditCommand struct {
		Verify auditVerifyCommand `cmd:"" help:"Follow the chains of the audit trail, and fail where an entry was removed or altered."`
	}
	auditVerifyCommand struct{}
)

// Run prints how each organisation's trail stands, then where those that were altered do not hold, and fails if any was.
func (auditVerifyCommand) Run(a *app) error {
	return a.withMigrator(func(m *store.Migrator) error {
		reports, err := m.VerifyAudit(a.ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ORGANISATION\tCHAINED\tNOT CHAINED YET\tRESULT\tHEAD")
		var broken []store.AuditReport
		for _, r := range reports {
			result := "holds"
			if r.Broken > 0 {
				broken = append(broken, r)
				result = "broken"
			}
			fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\n", r.Org, r.Chained, r.Unchained, result, r.Head)
		}
		if len(broken) > 0 {
			fmt.Fprintln(table, "\nORGANISATION\tPOSITION\tENTRY\tBROKEN")
		}
		for _, r := range broken {
			for _, b := range r.Breaks {
				position, id := "-", "-"
				if b.Position > 0 {
					position = strconv.FormatInt(b.Position, 10)
				}
				if b.EventID != nil {
					id = b.EventID.String()
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.Org, position, id, b.What)
			}
			if more := r.Broken - int64(len(r.Breaks)); more > 0 {
				fmt.Fprintf(table, "%s\t\t\tand %d more\n", r.Org, more)
			}
		}
		if err := table.Flush(); err != nil {
			return err
		}
		switch len(broken) {
		case 0:
			return nil
		case 1:
			return errors.New("the audit trail of one organisation was altered")
		default:
			return fmt.Errorf("the audit trails of %d organisations were altered", len(broken))
		}
	})
}
