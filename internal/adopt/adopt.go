// Package adopt takes over what the earlier module stored: its integrations, opened with its own key and sealed anew
// under ours, with their sync states and the projects that they need. It changes nothing in the rows that it reads, and
// can be run again at any time: what is here already is left alone.
package adopt

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/seal"
	"patchbay/internal/store"
)

// Options say what to adopt, and where to.
type Options struct {
	Target    *store.Migrator
	Source    seal.Secret // connection string of the database with the earlier module's tables
	InPlace   bool        // Source is the target's own database
	DryRun    bool        // change nothing
	TimeZone  string      // of times without one; an IANA name
	Key       seal.Secret // the earlier module's; empty where it had none
	Ring      *seal.Ring
	Providers *provider.Registry

	step func(done string) error // called after each step that was committed; for tests
}

// run is one adoption.
type run struct {
	Options
	*Report
	source   *store.Earlier
	present  *store.Present
	names    map[store.InProject]uuid.UUID
	states   map[uuid.UUID][]store.EarlierSyncState // by integration
	projects map[uuid.UUID]store.EarlierProject     // of the source
}

// Run adopts everything that it can; rows that had to be left are no error. Where an error ended it the report tells what
// was done before, and is nil if no row was reached.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.step == nil {
		o.step = func(string) error { return nil }
	}
	r := &run{Options: o, Report: &Report{DryRun: o.DryRun}, names: map[store.InProject]uuid.UUID{}}
	err := r.open(ctx)
	if r.source != nil {
		defer func() { r.source.Close(ctx) }()
	}
	if err != nil {
		return nil, err
	}
	rows, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	return r.Report, r.all(ctx, rows)
}

// open prepares the target and opens the source. The source is looked at first, so that nothing is changed for one that
// cannot be read.
func (r *run) open(ctx context.Context) (err error) {
	if r.source, err = store.OpenEarlier(ctx, r.Source, r.TimeZone); err != nil {
		return err
	}
	if r.Options.DryRun {
		if r.InPlace {
			return r.Target.CheckSetAside(ctx)
		}
		return r.Target.CheckInTheWay(ctx)
	}
	if r.InPlace {
		r.source.Close(ctx) // its transaction would keep the tables from being renamed
		if err := r.Target.SetEarlierAside(ctx); err != nil {
			return err
		}
		if err := r.step("set aside"); err != nil {
			return err
		}
	}
	if _, err := r.Target.Up(ctx); err != nil {
		return err
	}
	if err := r.step("migrated"); err != nil {
		return err
	}
	if r.InPlace {
		reopened, err := store.OpenEarlier(ctx, r.Source, r.TimeZone)
		if err != nil {
			return err
		}
		r.source = reopened
	}
	return nil
}

// read reads what is here and what there is to adopt.
func (r *run) read(ctx context.Context) (rows []store.EarlierIntegration, err error) {
	if r.present, err = r.Target.Present(ctx); err != nil {
		return nil, err
	}
	for _, id := range r.present.KeyIDs {
		if !r.Ring.Has(id) {
			return nil, fmt.Errorf("what is stored here was sealed with an encryption key that is not set (%s): set INTEGRATION_ENCRYPTION_KEY "+
				"to the server's, or its server could not open what is adopted; nothing was adopted", id)
		}
	}
	for id, at := range r.present.Integrations {
		r.names[at] = id
	}
	if r.projects, err = r.source.Projects(ctx); err != nil {
		return nil, fmt.Errorf("read the earlier module's projects: %w", err)
	}
	if rows, err = r.source.Integrations(ctx); err != nil {
		return nil, err
	}
	states, err := r.source.SyncStates(ctx)
	if err != nil {
		return nil, err
	}
	r.states = map[uuid.UUID][]store.EarlierSyncState{}
	known := map[uuid.UUID]bool{}
	for _, i := range rows {
		known[i.ID] = true
	}
	for _, s := range states {
		if s.IntegrationID != uuid.Nil && known[s.IntegrationID] {
			r.states[s.IntegrationID] = append(r.states[s.IntegrationID], s)
		} else {
			r.leaveState(s, "its integration does not exist")
		}
	}
	return rows, nil
}

func (r *run) all(ctx context.Context, rows []store.EarlierIntegration) (err error) {
	for _, i := range rows {
		if err := r.integration(ctx, i); err != nil {
			return err
		}
		if err := r.step("integration " + i.ID.String()); err != nil {
			return err
		}
	}
	if r.InPlace {
		if r.Reminders, err = r.source.Referrers(ctx); err != nil {
			return fmt.Errorf("look for what refers to the earlier module's tables: %w", err)
		}
		r.Reminders = append(r.Reminders, "the earlier module's tables, named …_before_patchbay, keep their rows and the secrets in them: drop them once nothing needs them")
	}
	return nil
}

// integration adopts one row with its sync state. Only the latest of several sync states can come along.
func (r *run) integration(ctx context.Context, e store.EarlierIntegration) error {
	states := r.states[e.ID]
	if len(states) > 1 {
		for _, s := range states[1:] {
			r.leaveState(s, "its integration has a later one")
		}
		states = states[:1]
	}
	if _, ok := r.present.Integrations[e.ID]; ok {
		r.Integrations.Present++
		r.SyncStates.Present += len(states)
		return nil
	}
	a, notes, problem, err := r.convert(ctx, e)
	if err != nil {
		return err
	}
	if problem == "" && len(states) > 0 {
		var more []string
		a.State, more = convertState(states[0])
		notes = append(notes, more...)
	}
	adopted := true
	if problem == "" && !r.Options.DryRun {
		adopted, err = r.Target.Adopt(ctx, r.Ring, a)
		switch {
		case integration.IsKind(err, integration.KindConflict), integration.IsKind(err, integration.KindNotFound), integration.IsKind(err, integration.KindInvalid):
			problem = err.Error()
		case err != nil:
			return err
		}
	}
	switch {
	case problem != "":
		r.Integrations.Left++
		r.line("left", "integration", e.ID, e.Name, problem)
		for _, s := range states {
			r.leaveState(s, "its integration was left")
		}
		return nil
	case !adopted: // somebody else was faster
		r.Integrations.Present++
		r.SyncStates.Present += len(states)
		return nil
	}
	r.Integrations.Adopted++
	r.SyncStates.Adopted += len(states)
	r.present.Integrations[e.ID] = store.InProject{ProjectID: a.ProjectID, Name: a.Name}
	r.names[store.InProject{ProjectID: a.ProjectID, Name: a.Name}] = e.ID
	if _, ok := r.present.Projects[a.ProjectID]; !ok {
		r.present.Projects[a.ProjectID] = a.Org
		r.Projects++
	}
	for _, note := range notes {
		r.line("altered", "integration", e.ID, e.Name, note)
	}
	return nil
}

// convert makes of a row what is to be stored. A problem is why it cannot be.
func (r *run) convert(ctx context.Context, e store.EarlierIntegration) (a store.Adopted, notes []string, problem string, err error) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	a = store.Adopted{Org: e.OrgID, CreatedBy: e.CreatedBy, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt}
	a.ID, a.ProjectID, a.Description, a.Enabled, a.LogoURL = e.ID, e.ProjectID, e.Description, e.Enabled, e.LogoURL
	if a.ProjectName, problem = r.place(e); problem != "" {
		return a, nil, problem, nil
	}
	if a.Name = slug(e.Name); a.Name == "" {
		return a, nil, "no name can be made of its name", nil
	}
	if a.Name != e.Name {
		note("its name is %s here", a.Name)
	}
	if _, ok := r.names[store.InProject{ProjectID: a.ProjectID, Name: a.Name}]; ok {
		return a, nil, fmt.Sprintf("the project %s has another integration of the name %s", a.ProjectID, a.Name), nil
	}
	if a.Provider = r.providerOf(e.Name, a.Name); a.Provider == "" {
		a.Provider = a.Name
		note("this server does not know the provider %s", a.Provider)
	} else if a.Provider != a.Name {
		note("its provider is %s", a.Provider)
	}
	a.DisplayName = strings.TrimSpace(e.DisplayName)
	if integration.CheckText("display name", a.DisplayName, integration.MaxDisplayName) != nil {
		a.DisplayName = r.Providers.Catalogue().ProviderOrUnknown(a.Provider).DisplayName
		if e.DisplayName != "" {
			note("its display name was no text to show: it is the provider's")
		}
	}
	if a.LogoURL != nil && integration.CheckLogoURL("logo", *a.LogoURL) != nil {
		if *a.LogoURL != "" {
			note("its logo was left out: an https address of at most %d characters is needed", integration.MaxLogoURL)
		}
		a.LogoURL = nil
	}

	settings, problem, err := r.settings(ctx, e.Settings)
	if problem != "" || err != nil {
		return a, nil, problem, err
	}
	change := r.Providers.Adopt(a.Provider, settings)
	a.PublicSettings, a.Secrets = change.Public, change.Secrets
	notes = append(notes, change.Notes...)

	a.WebhookSecret, problem, err = r.webhookSecret(ctx, e.WebhookSecret)
	if problem != "" || err != nil {
		return a, nil, problem, err
	}
	if a.WebhookSecret.IsZero() {
		a.WebhookSecret = seal.GenerateWebhookSecret()
	} else if provider.Masked(a.WebhookSecret.Expose()) {
		a.WebhookSecret = seal.GenerateWebhookSecret()
		note("its webhook secret was a masked value and not the secret: it has a new one")
	}
	return a, notes, "", nil
}

// place checks organisation and project, and returns the name of a project that must be made.
func (r *run) place(e store.EarlierIntegration) (projectName, problem string) {
	if e.ID == uuid.Nil || e.ProjectID == uuid.Nil {
		return "", "it has no id or no project"
	}
	if integration.CheckText("org_id", e.OrgID, integration.MaxOrgID) != nil {
		return "", "it has no organisation, or one that cannot be stored"
	}
	if org, ok := r.present.Projects[e.ProjectID]; ok {
		if org != e.OrgID {
			return "", "its project belongs to another organisation"
		}
		return "", ""
	}
	if p, ok := r.projects[e.ProjectID]; ok {
		if p.OrgID != e.OrgID {
			return "", "its project belongs to another organisation"
		}
		projectName = p.Name
	}
	if integration.CheckText("name", projectName, integration.MaxDisplayName) != nil {
		projectName = e.ProjectID.String()
	}
	if !r.present.MakeProjects {
		return "", "its project is missing, and projects are made by the product that this server is part of"
	}
	return projectName, ""
}

// providerOf is the provider that a name means: the earlier module named integrations after their providers.
func (r *run) providerOf(name, slug string) string {
	if p := r.Providers.Named(name); p != "" {
		return p
	}
	first, _, _ := strings.Cut(slug, "-")
	return r.Providers.Named(first)
}

// slug makes a name that can be stored, or "" where nothing is left of it.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	s := strings.Join(words, "-")
	if len(s) > integration.MaxName {
		s = strings.Trim(s[:integration.MaxName], "-")
	}
	return s
}

// statuses are ours for the earlier module's. What ran there runs no more.
var statuses = map[string]integration.SyncStatus{
	"pending": integration.SyncPending, "running": integration.SyncPending, "success": integration.SyncSuccess, "error": integration.SyncError,
}

func convertState(e store.EarlierSyncState) (s *store.AdoptedSyncState, notes []string) {
	s = &store.AdoptedSyncState{
		ID: e.ID, LastSyncAt: e.LastSyncAt, LastSuccessful: e.LastSuccessful, Error: e.Error, TotalSynced: e.TotalSynced, LastSynced: e.LastSynced,
		WorkspaceID: e.WorkspaceID, WorkspaceName: e.WorkspaceName, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
		Mappings: map[string]map[string]string{},
	}
	if s.ID == uuid.Nil {
		s.ID = uuid.Must(uuid.NewV7())
	}
	word := strings.ToLower(strings.TrimSpace(e.Status))
	status, ok := statuses[word]
	switch {
	case !ok:
		status = integration.SyncPending
		notes = append(notes, "its sync state had no known status: it is pending")
	case word == "running":
		notes = append(notes, "its sync state was running: it is pending")
	}
	s.Status = status
	for _, kind := range []string{"SPACE", "LIST", "FOLDER", "USER", "CUSTOM_FIELD"} {
		targets, changed, ok := convertMappings(e.Mappings[kind])
		if !ok {
			notes = append(notes, "its "+strings.ToLower(kind)+" mappings were left out: they are no JSON object")
			continue
		}
		if changed > 0 {
			notes = append(notes, fmt.Sprintf("%d of its %s mappings were no text: they are kept as their JSON text", changed, strings.ToLower(kind)))
		}
		if len(targets) > 0 {
			s.Mappings[kind] = targets
		}
	}
	slices.Sort(notes)
	return s, notes
}
