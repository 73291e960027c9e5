package integration

import "time"

// ExternalNode is a part of a provider's hierarchy that an import can be limited to.
type ExternalNode struct {
	ExternalID       string
	ParentExternalID *string
	Kind             string // the provider's word, in small letters: workspace, space, folder, list
	Name             string
	Selectable       bool // whether StartSync.Selection may name it
	Archived         bool
	ItemCount        *int // nil where the provider does not tell
}

// ExternalAccount is a workspace, site or organisation that credentials reach.
type ExternalAccount struct {
	ID   string
	Name string
}

// ConnectionTest is what trying an integration's settings came to.
type ConnectionTest struct {
	OK         bool
	Message    string  // for people; says what to do where OK is false
	Account    *string // whose credentials they are
	Workspaces []ExternalAccount
	LatencyMs  int
	CheckedAt  time.Time
}
