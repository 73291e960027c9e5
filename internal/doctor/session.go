package doctor

import (
	"context"
	"fmt"
	"time"

	"patchbay/internal/store"
)

// The versions of PostgreSQL that Patchbay is tested with.
const oldestVersion, newestVersion = 15, 18

func judgeVersion(s store.Session) Finding {
	switch major := s.Version / 10000; {
	case major < oldestVersion:
		return Finding{"server-version", Severe, fmt.Sprintf("The server is PostgreSQL %s, and Patchbay needs %d or later.", s.Release, oldestVersion),
			fmt.Sprintf("Upgrade the server to PostgreSQL %d or later.", oldestVersion)}
	case major > newestVersion:
		return Finding{"server-version", Warning, fmt.Sprintf("The server is PostgreSQL %s, which this version of Patchbay was not tested with; it knows %d to %d.", s.Release, oldestVersion, newestVersion),
			"Look for a newer version of Patchbay."}
	}
	return Finding{"server-version", OK, fmt.Sprintf("The server is PostgreSQL %s.", s.Release), ""}
}

// judgeTLS asks for encryption on the way to a server elsewhere. variable names the connection string.
func judgeTLS(s store.Session, variable string) []Finding {
	add := fmt.Sprintf("Add sslmode=verify-full to %s, and sslrootcert=… where the certificate's authority is a private one; the server needs ssl = on.", variable)
	f := Finding{Check: "tls", Severity: OK, Message: fmt.Sprintf("The connection of %s is encrypted, and the server's certificate is checked.", variable)}
	switch {
	case s.Local:
		f.Message = fmt.Sprintf("The connection of %s does not leave this machine.", variable)
	case !s.TLS:
		f.Severity, f.Message, f.Remedy = Severe, fmt.Sprintf("The connection of %s leaves this machine without TLS: passphrases and secrets can be read on the way.", variable), add
	case !s.Verified:
		f.Severity, f.Message, f.Remedy = Warning, fmt.Sprintf("The connection of %s is encrypted, but not to a server that was checked: another one could stand in between.", variable), add
	}
	found := []Finding{f}
	if s.TLS && !s.ServerTLS {
		found = append(found, Finding{"tls-behind-pooler", Info,
			fmt.Sprintf("The connection of %s is encrypted as far as a pooler or proxy, which reaches the server without TLS.", variable),
			"Unless both are on one machine, have the pooler use TLS to the server too."})
	}
	return found
}

const (
	clockWarning = 5 * time.Second
	clockSevere  = time.Minute
)

// clock compares the server's time with the middle of asking for it.
func (o *Options) clock(ctx context.Context, i *store.Inspection) (Finding, error) {
	asked := o.Now()
	server, err := i.Clock(ctx)
	answered := o.Now()
	if err != nil {
		return Finding{}, err
	}
	off := server.Sub(asked.Add(answered.Sub(asked) / 2)).Abs().Round(100 * time.Millisecond)
	f := Finding{Check: "clock", Severity: OK, Message: "The clocks of the database and of this machine agree."}
	if off > clockWarning {
		f.Severity = Warning
		f.Message = fmt.Sprintf("The clocks of the database and of this machine are %s apart: keys expire and schedules run at the wrong time.", off)
		f.Remedy = "Synchronise both machines' clocks with NTP (timedatectl set-ntp true)."
	}
	if off > clockSevere {
		f.Severity = Severe
	}
	return f, nil
}

// judgeMigrations looks at what is pending, and at what only a newer program knows.
func judgeMigrations(steps []store.Migration, newer []int64) (found []Finding) {
	var pending []string
	for _, step := range steps {
		if step.AppliedAt == nil {
			pending = append(pending, step.Name)
		}
	}
	switch {
	case len(pending) == len(steps):
		found = append(found, Finding{"migrations", Severe, "The database is not migrated.", "Run `patchbay migrate up`; `patchbay serve` does it too."})
	case len(pending) > 0:
		found = append(found, Finding{"migrations", Warning, fmt.Sprintf("%s pending, from %s on.", are(len(pending), "migration"), pending[0]),
			"Run `patchbay migrate up`; `patchbay serve` does it too."})
	default:
		found = append(found, Finding{"migrations", OK, fmt.Sprintf("All of %s have run.", count(len(steps), "migration")), ""})
	}
	if len(newer) > 0 {
		found = append(found, Finding{"newer-migrations", Warning,
			fmt.Sprintf("A newer version of Patchbay migrated the database: %s unknown to this one, from number %d on.", are(len(newer), "migration"), newer[0]),
			"Run the newer version of Patchbay."})
	}
	return found
}

func are(n int, noun string) string {
	if n == 1 {
		return count(n, noun) + " is"
	}
	return count(n, noun) + " are"
}
