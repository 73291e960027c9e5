package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"patchbay/internal/doctor"
	"patchbay/internal/integration"
	"patchbay/internal/provider/builtin"
	"patchbay/internal/seal"
)

// doctorCommand is documented in docs/doctor.md.
type doctorCommand struct {
	JSON    bool `name:"json" help:"Print one JSON object instead of text."`
	Offline bool `help:"Do not try to reach the providers' APIs, nor the OpenID issuer."`
}

// exitStatus ends the program with a status of its own, once the command has said on stdout what there is to say.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// The exit statuses of doctor; 0 is for nothing worse than info, and 1 for a doctor that could not run.
const (
	exitWarning exitStatus = 2
	exitSevere  exitStatus = 3
)

// Run checks what can be checked, prints it, and ends with a status that says how bad it is.
func (c *doctorCommand) Run(a *app) error {
	report, err := a.examine(c.Offline)
	if err != nil {
		return err
	}
	show := showReport
	if c.JSON {
		show = showReportJSON
	}
	if err := show(a.stdout, report); err != nil {
		return err
	}
	switch report.Worst {
	case doctor.Severe:
		return exitSevere
	case doctor.Warning:
		return exitWarning
	}
	return nil
}

// examine makes the checks with what there is: where the database cannot even be opened, that is a finding.
func (a *app) examine(offline bool) (*doctor.Report, error) {
	o := doctor.Options{}
	place, err := a.place()
	switch {
	case err != nil:
		o.DatabaseErr = err
		o.Keys.Ring, o.Keys.Err = a.config.Keys()
	case place.private() && !place.made():
		o = place.doctorOptions(nil)
		o.DatabaseErr = fmt.Errorf("DATABASE_URL is not set, and there is no private database in %s; `patchbay serve --generate-key` makes one", place.stateDir)
	default:
		d, err := place.open(a.ctx)
		if err == nil {
			defer func() {
				if err := d.close(); err != nil {
					a.log.Warn("the private PostgreSQL did not end well", "error", err)
				}
			}()
		}
		o = place.doctorOptions(d)
		o.DatabaseErr = err
	}
	if place != nil {
		o.Keys.Ring, o.Keys.Err = place.keys(false)
		if place.private() && a.config.EncryptionKey.IsZero() {
			o.Keys.File = filepath.Join(place.stateDir, keyFile)
		}
	}
	o.Keys.Unencoded = a.unencodedKeys()
	if !offline {
		for _, d := range builtin.All() {
			if d.APIOrigin != "" {
				o.Origins = append(o.Origins, doctor.Origin{Provider: d.Name, URL: d.APIOrigin})
			}
		}
	}
	if openID := a.openID("", nil); openID != nil && !offline {
		o.OpenID = &doctor.OpenID{Issuer: openID.Issuer, Check: openID.Check}
	}
	report := doctor.Run(a.ctx, o)
	if err := a.ctx.Err(); err != nil {
		return nil, fmt.Errorf("the checks were cut off: %w", err)
	}
	return report, nil
}

// doctorOptions are what a place and its database, nil where it is not open, tell the checks.
func (p *place) doctorOptions(d *database) doctor.Options {
	o := doctor.Options{Private: p.private(), StateDir: p.stateDir}
	if d != nil {
		o.Serving, o.OwnerURL = d.serving(integration.NewCatalogue()), d.migrateURL
	}
	return o
}

// unencodedKeys are the variables that hold a key as text.
func (a *app) unencodedKeys() (variables []string) {
	if !a.config.EncryptionKey.IsZero() && !seal.IsEncoded(a.config.EncryptionKey) {
		variables = append(variables, "INTEGRATION_ENCRYPTION_KEY")
	}
	for text := range strings.SplitSeq(a.config.PreviousEncryptionKeys.Expose(), ",") {
		if strings.TrimSpace(text) != "" && !seal.IsEncoded(seal.NewSecret(text)) {
			return append(variables, "INTEGRATION_ENCRYPTION_PREVIOUS_KEYS")
		}
	}
	return variables
}

// showReport prints a line for each finding, its remedy indented below it, and a summary.
func showReport(w io.Writer, r *doctor.Report) error {
	var b strings.Builder
	counts := map[doctor.Severity]int{}
	for _, f := range r.Findings {
		counts[f.Severity]++
		fmt.Fprintf(&b, "%-8s %-24s %s\n", f.Severity, f.Check, strings.ReplaceAll(f.Message, "\n", "\n"+strings.Repeat(" ", 34)))
		for line := range strings.Lines(f.Remedy) {
			fmt.Fprintf(&b, "%34s%s\n", "", strings.TrimRight(line, "\n"))
		}
	}
	fmt.Fprintf(&b, "\n%d checks: %d ok, %d info, %d warning, %d severe.\n",
		len(r.Findings), counts[doctor.OK], counts[doctor.Info], counts[doctor.Warning], counts[doctor.Severe])
	_, err := io.WriteString(w, b.String())
	return err
}

func showReportJSON(w io.Writer, r *doctor.Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
