package integration

import (
	"slices"

	"github.com/google/uuid"
)

// Role is what a principal may do; each role includes the ones before it.
type Role string

const (
	RoleViewer Role = "VIEWER" // reads
	RoleEditor Role = "EDITOR" // changes and syncs
	RoleAdmin  Role = "ADMIN"  // reveals, rotates, audits, manages keys
)

// roles in ascending order.
var roles = []Role{RoleViewer, RoleEditor, RoleAdmin}

// Valid reports whether r is one of the three roles.
func (r Role) Valid() bool { return slices.Contains(roles, r) }

// Includes reports whether r may do what other may. An unknown role includes nothing and is included by nothing.
func (r Role) Includes(other Role) bool {
	return r.Valid() && other.Valid() && slices.Index(roles, r) >= slices.Index(roles, other)
}

// Principal is who a request runs as: one organisation, and all or some of its projects.
type Principal struct {
	Subject  string // stable and safe to show and log, such as "api-key:CI (pb_x1y2z3)"
	Org      string
	Role     Role
	Projects []uuid.UUID // nil means all of the organisation's; empty means none
	Origin   Origin
}

// Origin is where a request came from, for the audit trail. Commands and jobs have none.
type Origin struct {
	RequestID  string
	RemoteAddr string // without the port
}

// Scope is what of the database the principal may see.
func (p Principal) Scope() Scope {
	return Scope{Org: p.Org, Projects: p.Projects, Actor: p.Subject, Origin: p.Origin}
}

// Scope is the part of the database that a request or a job may touch. Every store method runs inside one, and
// PostgreSQL's row-level security enforces it again.
type Scope struct {
	Org      string      // never empty
	Projects []uuid.UUID // nil means all of the organisation's; empty means none
	Actor    string      // whom changes are recorded under; empty means the system itself
	Origin   Origin
}
