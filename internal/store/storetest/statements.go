package storetest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Statements is a tracer that checks every statement it sees: what touches a tenant's tables runs where the tenant was
// set, once, in the same transaction, and names that very organisation for each table that it mentions. It is the second
// of the two fences, seen from outside; row-level security is the other. Run fails where a statement did not pass.
type Statements struct {
	mu       sync.Mutex
	sessions map[*pgx.Conn]*transaction
	shapes   map[string]*shape
	faults   map[string]bool
}

var (
	_ pgx.BatchTracer    = (*Statements)(nil)
	_ pgx.CopyFromTracer = (*Statements)(nil)
)

// statements sees what every pool of this process's tests sends as the serving role.
var statements = &Statements{}

// Tracer is the tracer to open pools with that are not opened by Database.Open.
func Tracer() *Statements { return statements }

// transaction is what is known of one: a batch outside one is one too.
type transaction struct {
	begun bool    // by BEGIN, so that it goes on after this message
	org   *string // the tenant, once set
}

// Mentions counts the different statements so far that touch a table, such as kb.integrations.
func (s *Statements) Mentions(table string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, shape := range s.shapes {
		if slices.Contains(shape.tables, table) {
			n++
		}
	}
	return n
}

// Faults lists what did not pass.
func (s *Statements) Faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.faults))
}

// report prints the faults and returns the process's exit code.
func (s *Statements) report(code int) int {
	for _, fault := range s.Faults() {
		fmt.Fprintln(os.Stderr, "a statement does not keep to one tenant:", fault)
		code = max(code, 1)
	}
	return code
}

// TraceQueryStart implements pgx.QueryTracer.
func (s *Statements) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.sessions[conn]
	if t == nil {
		t = &transaction{}
	}
	switch first, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(data.SQL)), " "); {
	case first == "begin":
		if s.sessions == nil {
			s.sessions = map[*pgx.Conn]*transaction{}
		}
		s.sessions[conn] = &transaction{begun: true}
	case first == "commit", first == "rollback" && !strings.Contains(data.SQL, " "): // not to a savepoint
		delete(s.sessions, conn)
	default:
		s.see(t, data.SQL, data.Args)
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (s *Statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart implements pgx.BatchTracer.
func (s *Statements) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.sessions[conn]
	if t == nil {
		t = &transaction{}
	}
	for _, q := range data.Batch.QueuedQueries {
		s.see(t, q.SQL, q.Arguments)
	}
	return ctx
}

// TraceBatchQuery implements pgx.BatchTracer.
func (s *Statements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements pgx.BatchTracer.
func (s *Statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TraceCopyFromStart implements pgx.CopyFromTracer: COPY names no tenant.
func (s *Statements) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(data.TableName) > 1 && data.TableName[0] == "kb" {
		s.see(&transaction{}, "COPY kb."+data.TableName[1], nil)
	}
	return ctx
}

// TraceCopyFromEnd implements pgx.CopyFromTracer.
func (s *Statements) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}

// see checks one statement in its transaction.
func (s *Statements) see(t *transaction, sql string, args []any) {
	if s.shapes == nil {
		s.shapes, s.faults = map[string]*shape{}, map[string]bool{}
	}
	fault := func(format string, args ...any) {
		s.faults[fmt.Sprintf(format, args...)+": "+strings.Join(strings.Fields(sql), " ")] = true
	}
	if strings.Contains(sql, "set_config('app.org'") {
		org, _ := args[0].(string)
		if t.org != nil && *t.org != org {
			fault("two tenants are set in one transaction")
		}
		t.org = &org
		return
	}
	known := s.shapes[sql]
	if known == nil {
		known = parse(sql)
		s.shapes[sql] = known
		for _, f := range known.faults {
			fault("%s", f)
		}
	}
	if !known.scoped {
		return
	}
	if t.org == nil {
		fault("no tenant is set in its transaction")
		return
	}
	for _, n := range known.orgs {
		if n > len(args) || args[n-1] != *t.org {
			fault("$%d is not the tenant that is set", n)
		}
	}
}

// shape is what a statement's text tells.
type shape struct {
	tables []string // of tenants; in the order of their mention, with repeats
	scoped bool     // it needs a tenant
	orgs   []int    // the parameters that have to be the tenant's organisation
	faults []string
}

// functions are those of schema kb that statements may call, and whether they need a tenant. Those that do not are the
// SECURITY DEFINER functions, which are asked before a tenant is known, and those that touch no table.
var functions = map[string]bool{
	"seal": false, "unseal": false, "reseal": false, "opens": false,
	"authenticate_api_key": false, "prune_sessions": false, "organisations_to_chain": false, "organisations_to_rotate": false, "orphaned_rotations": false, "sealing_keys": false,
	"due_syncs": false, "due_webhook_checks": false, "due_catch_ups": false, "organisations_with_old_runs": false, "orphaned_runs": false,
	"webhook_target": false, "webhook_targets_by_hook": false, "orphaned_webhook_objects": false, "jobless_webhook_objects": false, "parked_webhooks": false, "organisations_with_old_deliveries": false,
	"forget_more": false, "the_fingerprint_key": false,
	"extend_audit_chain": true, "search_objects": true,
}

// nobodys are the tables that belong to no tenant.
var nobodys = regexp.MustCompile(`\bkb\.(?:api_usage|rate_limits)\b`)

var (
	calls     = regexp.MustCompile(`\bkb\.(\w+)\(`)
	mentions  = regexp.MustCompile(`(?i)\b(INSERT INTO|UPDATE|FROM|USING|JOIN|,)\s+(kb\.\w+\(?)(?:\s+(?:AS\s+)?(\w+))?`)
	relations = regexp.MustCompile(`\bkb\.\w+(?:[^\w(]|$)`)
	setOps    = regexp.MustCompile(`(?i)\b(?:UNION(?: ALL)?|EXCEPT|INTERSECT)\b`)
	either    = regexp.MustCompile(`(?i)\bOR\b`)
	condition = regexp.MustCompile(`(?i)\b(?:WHERE|ON)\b`)
	byValue   = regexp.MustCompile(`(?:\b(\w+)\.|[^.\w])org_id = \$(\d+)`)
	byTable   = regexp.MustCompile(`\b(\w+)\.org_id = (\w+)\.org_id`)
	parameter = regexp.MustCompile(`^\$(\d+)(?:::\w+)?$`)
	ofASource = regexp.MustCompile(`^(?:\w+\.)?org_id$`)
	keyword   = regexp.MustCompile(`(?i)^(?:SET|WHERE|ON|ORDER|GROUP|LIMIT|JOIN|LEFT|CROSS|RETURNING|VALUES|SELECT|FOR|UNION)$`)
)

// parse judges a statement. It knows the SQL of package store, not every SQL; what it does not understand is a fault.
func parse(sql string) *shape {
	s := &shape{}
	sql = nobodys.ReplaceAllString(sql, "nobodys")
	for _, call := range calls.FindAllStringSubmatch(sql, -1) {
		needs, known := functions[call[1]]
		if !known {
			s.faults = append(s.faults, "the function kb."+call[1]+" is not known")
		}
		s.scoped = s.scoped || needs
	}
	if strings.Contains(sql, `"kb"`) {
		s.faults = append(s.faults, "the schema is quoted")
	}
	understood := 0
	for _, level := range levels(sql) {
		for _, part := range setOps.Split(level, -1) {
			understood += s.judge(part, sql)
		}
	}
	if n := len(relations.FindAllString(sql, -1)); n != understood {
		s.faults = append(s.faults, fmt.Sprintf("%d tables of tenants are mentioned, and %d where one is read or written", n, understood))
	}
	s.scoped = s.scoped || understood > 0
	return s
}

// levels are the texts at each depth of parentheses, one for each pair, without those in them.
func levels(sql string) (all []string) {
	open := []*strings.Builder{{}}
	for _, c := range sql {
		switch c {
		case '(':
			open[len(open)-1].WriteRune(c)
			open = append(open, &strings.Builder{})
		case ')':
			if len(open) == 1 {
				return []string{sql} // it is no SQL of ours
			}
			all = append(all, open[len(open)-1].String())
			open = open[:len(open)-1]
			open[len(open)-1].WriteRune(c)
		default:
			open[len(open)-1].WriteRune(c)
		}
	}
	return append(all, open[0].String())
}

// judge looks at the tables that one level mentions, and returns how many.
func (s *shape) judge(level, sql string) int {
	found := slices.DeleteFunc(mentions.FindAllStringSubmatch(level, -1), func(m []string) bool { return strings.HasSuffix(m[2], "(") }) // calls
	conditions := ""
	if at := condition.FindStringIndex(level); at != nil {
		conditions = level[at[0]:]
	}
	if len(found) > 0 && either.MatchString(conditions) {
		s.faults = append(s.faults, "OR stands beside the condition on the organisation")
	}
	fault := func(table string) {
		s.faults = append(s.faults, table+" is not limited to the organisation")
	}
	bound := map[string]bool{} // aliases
	for _, v := range byValue.FindAllStringSubmatch(conditions, -1) {
		bound[v[1]] = true
		n, _ := strconv.Atoi(v[2])
		s.orgs = append(s.orgs, n)
	}
	unbound := map[string]string{} // alias → table
	for _, m := range found {
		how, table, alias := strings.ToUpper(m[1]), m[2], m[3]
		s.tables = append(s.tables, table)
		if how == "INSERT INTO" {
			if !s.inserts(table, sql) {
				fault(table)
			}
			continue
		}
		if keyword.MatchString(alias) {
			alias = ""
		}
		if !bound[alias] {
			unbound[alias] = table
		}
	}
	for changed := true; changed; {
		changed = false
		for _, link := range byTable.FindAllStringSubmatch(conditions, -1) {
			for _, pair := range [][2]string{{link[1], link[2]}, {link[2], link[1]}} {
				if _, other := unbound[pair[1]]; unbound[pair[0]] != "" && !other {
					delete(unbound, pair[0])
					changed = true
				}
			}
		}
	}
	for _, table := range unbound {
		fault(table)
	}
	return len(found)
}

// inserts looks for where an INSERT takes the column org_id from: a parameter, or the column of a source, which is judged
// where it stands.
func (s *shape) inserts(table, sql string) bool {
	into := regexp.MustCompile(`(?is)INSERT INTO ` + regexp.QuoteMeta(table) + `(?:\s+AS\s+\w+)?\s*\(([^)]*)\)\s*(VALUES\s*\(|SELECT)(.*)`).FindStringSubmatch(sql)
	if into == nil {
		return false
	}
	at := slices.Index(strings.FieldsFunc(into[1], func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }), "org_id")
	given := items(into[3])
	if at < 0 || at >= len(given) {
		return false
	}
	if m := parameter.FindStringSubmatch(given[at]); m != nil {
		n, _ := strconv.Atoi(m[1])
		s.orgs = append(s.orgs, n)
		return true
	}
	return ofASource.MatchString(given[at])
}

// items splits a list of expressions at its own commas, up to its end.
func items(list string) (all []string) {
	depth, item := 0, ""
	for _, c := range list {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth == 0:
			return append(all, strings.TrimSpace(item))
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			all, item = append(all, strings.TrimSpace(item)), ""
			continue
		}
		item += string(c)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(item), "\n") // FROM follows on a line of its own
	return append(all, strings.TrimSpace(first))
}
