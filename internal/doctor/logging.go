package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"patchbay/internal/store"
)

// judgeLogging looks for ways of bind parameters, which hold secrets and passphrases, into the server's log. variable
// names the connection string that the session came from.
func judgeLogging(s store.Session, variable string) (found []Finding) {
	value := func(name string) string { return s.Settings[name].Value }
	number := func(name string) float64 { n, _ := strconv.ParseFloat(value(name), 64); return n }
	has := func(name string) bool { _, ok := s.Settings[name]; return ok }
	login := fmt.Sprintf("for the login of %s", variable)

	// What makes the server log statements.
	var logged []string
	if v := value("log_statement"); v == "all" || v == "mod" {
		logged = append(logged, "log_statement = "+v)
	}
	if v := value("log_min_duration_statement"); has("log_min_duration_statement") && v != "-1" {
		logged = append(logged, "log_min_duration_statement = "+v)
	}
	if v := value("log_min_duration_sample"); has("log_min_duration_sample") && v != "-1" && number("log_statement_sample_rate") > 0 {
		logged = append(logged, "log_min_duration_sample = "+v)
	}
	if v := value("log_transaction_sample_rate"); number("log_transaction_sample_rate") > 0 {
		logged = append(logged, "log_transaction_sample_rate = "+v)
	}
	const length = "log_parameter_max_length"
	switch {
	case len(logged) > 0 && value(length) != "0":
		found = append(found, Finding{"log-parameters", Severe,
			fmt.Sprintf("The server logs statements %s with their parameters, which hold secrets: %s, with %s = %s.", login, strings.Join(logged, ", "), length, value(length)),
			set(s, variable, length, "0")})
	case value(length) != "0":
		found = append(found, Finding{"log-parameters", Info,
			fmt.Sprintf("The server logs no statements %s; if it did, their parameters would be in the log (%s = %s).", login, length, value(length)),
			"To be safe then too: " + lowerFirst(set(s, variable, length, "0"))})
	default:
		found = append(found, Finding{"log-parameters", OK, "The server leaves parameters out of the statements that it logs.", ""})
	}

	const onError = "log_parameter_max_length_on_error"
	if v := value(onError); v != "0" {
		found = append(found, Finding{"log-parameters-on-error", Severe,
			fmt.Sprintf("The server logs the parameters of failed statements %s, which hold secrets: %s = %s.", login, onError, v), set(s, variable, onError, "0")})
	} else {
		found = append(found, Finding{"log-parameters-on-error", OK, "The server leaves parameters out of the failed statements that it logs.", ""})
	}

	switch {
	case s.InlineArgs:
		found = append(found, Finding{"statement-text", Severe,
			fmt.Sprintf("%s says default_query_exec_mode=simple_protocol: secrets travel inside the text of statements, which the server's log, pg_stat_activity and statistics show.", variable),
			fmt.Sprintf("Take default_query_exec_mode=simple_protocol out of %s; behind PgBouncer before 1.21 use cache_describe.", variable)})
	case !slices.Contains([]string{"log", "fatal", "panic"}, value("log_min_error_statement")):
		found = append(found, Finding{"statement-text", Info,
			fmt.Sprintf("The server logs the text of failed statements %s, which holds no parameters (log_min_error_statement = %s).", login, value("log_min_error_statement")), ""})
	default:
		found = append(found, Finding{"statement-text", OK, "The server logs no text of failed statements.", ""})
	}

	if v := value("debug_print_plan"); v == "on" {
		found = append(found, Finding{"debug-print-plan", Severe,
			fmt.Sprintf("The server logs plans %s, with the values in them: debug_print_plan = on.", login), set(s, variable, "debug_print_plan", "off")})
	}
	if has("auto_explain.log_min_duration") {
		found = append(found, judgeAutoExplain(s, variable, login))
	}
	if has("pgaudit.log_parameter") {
		if value("pgaudit.log_parameter") == "on" && (value("pgaudit.log") != "none" || value("pgaudit.role") != "") {
			found = append(found, Finding{"pgaudit", Severe,
				fmt.Sprintf("pgaudit logs parameters %s, which hold secrets: pgaudit.log_parameter = on.", login), set(s, variable, "pgaudit.log_parameter", "off")})
		} else {
			found = append(found, Finding{"pgaudit", OK, "pgaudit logs no parameters.", ""})
		}
	}
	if has("pg_stat_statements.track") {
		found = append(found, Finding{"pg-stat-statements", OK, "pg_stat_statements keeps statements without their parameters.", ""})
	}
	return found
}

// judgeAutoExplain: plans show parameters in a line of their own since 16, and, verbose, in expressions in every version.
func judgeAutoExplain(s store.Session, variable, login string) Finding {
	duration := s.Settings["auto_explain.log_min_duration"].Value
	length, hasLength := s.Settings["auto_explain.log_parameter_max_length"]
	var fix []string
	if hasLength && length.Value != "0" {
		fix = append(fix, set(s, variable, "auto_explain.log_parameter_max_length", "0"))
	}
	if s.Settings["auto_explain.log_verbose"].Value == "on" {
		fix = append(fix, set(s, variable, "auto_explain.log_verbose", "off"))
	}
	if duration == "-1" || len(fix) == 0 {
		return Finding{"auto-explain", OK, "auto_explain logs no parameters.", ""}
	}
	return Finding{"auto-explain", Severe,
		fmt.Sprintf("auto_explain logs plans %s with the statements' parameters, which hold secrets: auto_explain.log_min_duration = %s.", login, duration),
		strings.Join(fix, "\n")}
}

// set is the remedy that gives a setting a value, where it would be overruled the least but is not overruled itself.
func set(s store.Session, variable, name, value string) string {
	var statement string
	switch s.Settings[name].Source {
	case "client", "session":
		return fmt.Sprintf("Take %s out of the options in %s, or of PGOPTIONS.", name, variable)
	case "user":
		statement = fmt.Sprintf("ALTER ROLE %s SET %s = %s;", s.Login, name, value)
	case "database user":
		statement = fmt.Sprintf("ALTER ROLE %s IN DATABASE %s SET %s = %s;", s.Login, s.Database, name, value)
	case "database", "command line": // the command line wins over ALTER SYSTEM
		statement = fmt.Sprintf("ALTER DATABASE %s SET %s = %s;", s.Database, name, value)
	default:
		return fmt.Sprintf("Run as a superuser:\nALTER SYSTEM SET %s = %s;\nSELECT pg_reload_conf();", name, value)
	}
	return "Run as a superuser, then restart Patchbay so that it connects anew:\n" + statement
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
