// Package migrations holds the database's migrations: numbered SQL files, run in order by package store as the role
// patchbay_owner, forward only. Each is expand-then-contract, so that the release before still works on its result.
package migrations

import "embed"

// FS holds the migrations' SQL files.
//
//go:embed *.sql
var FS embed.FS
