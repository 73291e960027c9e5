package doctor

import (
	"context"
	"fmt"
	"strings"

	"patchbay/internal/store"
)

// rights makes the checks of who may reach what. current is whether the schema is at this program's migrations: what is
// missing or unknown tells nothing otherwise.
func (o *Options) rights(ctx context.Context, i *store.Inspection, current bool) ([]Finding, error) {
	r, err := i.Rights(ctx)
	if err != nil {
		return nil, err
	}
	if !r.Migrated {
		return []Finding{skipped("rights", "the database is not migrated")}, nil
	}
	found := judgeRights(r, current)
	if !o.Serving.OwnLogin && !o.Private {
		found = append(found, Finding{"one-login", Info,
			"Requests use the owner's login and give its privileges up: that guards against a forgotten condition, not against injected SQL.",
			"Set PATCHBAY_MIGRATE_DATABASE_URL, and give DATABASE_URL a login of its own; docs/configuration.md has the statements."})
	}
	return found, nil
}

func judgeRights(r store.Rights, current bool) (found []Finding) {
	bad := func(check string, severity Severity, remedy, message string, args ...any) {
		found = append(found, Finding{check, severity, fmt.Sprintf(message, args...), remedy})
	}
	// Each topic that nothing was found in gets a line too.
	topic := func(check, fine string, look func()) {
		before := len(found)
		look()
		if len(found) == before {
			found = append(found, Finding{check, OK, fine, ""})
		}
	}

	topic("roles", "The two roles have no more rights than they need.", func() {
		for _, role := range r.Roles {
			if len(role.Excess) > 0 {
				off := make([]string, len(role.Excess))
				for i, attribute := range role.Excess {
					off[i] = "NO" + attribute
				}
				bad("roles", Severe, run(fmt.Sprintf("ALTER ROLE %s %s;", role.Name, strings.Join(off, " "))),
					"The role %s has attributes that it must not have: %s.", role.Name, strings.Join(role.Excess, ", "))
			}
			for _, group := range role.MemberOf {
				bad("roles", Severe, run(fmt.Sprintf("REVOKE %s FROM %s;", group, role.Name)),
					"The role %s is a member of %s and has its rights.", role.Name, group)
			}
		}
	})
	topic("row-security", fmt.Sprintf("Row-level security fences in each of %s.", count(len(r.Tables), "table")), func() {
		for _, t := range r.Tables {
			if !t.RowSecurity {
				bad("row-security", Severe, run(fmt.Sprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY;", t.Name)),
					"Row-level security is off on %s: a forgotten condition would show other tenants' rows.", t.Name)
			}
			if t.Forced {
				bad("row-security", Warning, run(fmt.Sprintf("ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;", t.Name)),
					"Row-level security is forced on %s: the owner's dumps fail, and its updates find no rows.", t.Name)
			}
			if !current {
				continue
			}
			for _, policy := range t.ExtraPolicies {
				bad("row-security", Severe, run(fmt.Sprintf("DROP POLICY %s ON %s;", policy, t.Name)),
					"The table %s has the policy %s, which no migration made: policies add to what may be seen.", t.Name, policy)
			}
			for _, policy := range t.MissingPolicies {
				bad("row-security", Severe, fmt.Sprintf("Run the statement CREATE POLICY %s that is in Patchbay's folder migrations, as patchbay_owner.", policy),
					"The table %s lacks the policy %s.", t.Name, policy)
			}
		}
	})
	topic("views", "No view shows tenants' rows with its owner's rights.", func() {
		for _, v := range r.Views {
			if v.Materialized {
				bad("views", Severe, run(fmt.Sprintf("DROP MATERIALIZED VIEW %s;", v.Name)),
					"The materialized view %s keeps tenants' rows where row-level security does not apply.", v.Name)
			} else {
				bad("views", Severe, run(fmt.Sprintf("ALTER VIEW %s SET (security_invoker = true);", v.Name)),
					"The view %s reads with its owner's rights: it shows every tenant's rows.", v.Name)
			}
		}
	})
	topic("definer-functions", "Only the migrations' functions run with the owner's rights.", func() {
		for _, f := range r.Definers {
			switch {
			case !f.Known && current:
				bad("definer-functions", Severe, run(fmt.Sprintf("DROP FUNCTION %s;", f.Signature)),
					"The function %s runs with its owner's rights (SECURITY DEFINER), and no migration made it.", f.Signature)
			case !f.Owned:
				bad("definer-functions", Severe, run(fmt.Sprintf("ALTER FUNCTION %s OWNER TO patchbay_owner;", f.Signature)),
					"The function %s runs with the rights of another owner than patchbay_owner.", f.Signature)
			case !f.Fixed:
				bad("definer-functions", Severe, run(fmt.Sprintf("ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp;", f.Signature)),
					"The function %s runs with its owner's rights and without a fixed search_path: its caller could put other functions in its way.", f.Signature)
			}
		}
		if current {
			for _, name := range r.MissingDefiners {
				bad("definer-functions", Severe, fmt.Sprintf("Run the statement CREATE FUNCTION %s that is in Patchbay's folder migrations, as patchbay_owner.", name),
					"The function %s is missing.", name)
			}
		}
	})
	topic("ownership", "The serving role owns nothing.", func() {
		if len(r.Owned) > 0 {
			bad("ownership", Severe, run("REASSIGN OWNED BY patchbay_serve TO patchbay_owner;"),
				"The serving role owns what it should only use: %s.", strings.Join(r.Owned, ", "))
		}
	})
	topic("public-rights", "PUBLIC has no rights on what is Patchbay's.", func() {
		for _, g := range r.Public {
			bad("public-rights", Severe, run(fmt.Sprintf("REVOKE ALL ON %s FROM PUBLIC;", g.Object)),
				"PUBLIC, which is every login of the server, has rights on %s: %s.", g.Object, strings.Join(g.Privileges, ", "))
		}
	})
	return found
}
