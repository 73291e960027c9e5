package integration

import (
	"time"

	"github.com/google/uuid"
)

// ObjectType is what an imported object is, whatever its provider calls it.
type ObjectType string

const (
	ObjectOrganization ObjectType = "ORGANIZATION" // workspace, organisation
	ObjectProject      ObjectType = "PROJECT"      // space, project, team, repository
	ObjectCollection   ObjectType = "COLLECTION"   // folder, list, board, milestone, cycle
	ObjectTask         ObjectType = "TASK"         // task, issue, pull request
	ObjectComment      ObjectType = "COMMENT"
	ObjectUser         ObjectType = "USER"
	ObjectDocument     ObjectType = "DOCUMENT" // document, page of one
)

// RelationshipType says how an imported object stands to another one.
type RelationshipType string

const (
	RelBelongsTo  RelationshipType = "BELONGS_TO"  // a task to its list, a list to its folder or space
	RelParentOf   RelationshipType = "PARENT_OF"   // a task of its subtask, a document of its page
	RelCommentOn  RelationshipType = "COMMENT_ON"  // a comment on its task
	RelAssignedTo RelationshipType = "ASSIGNED_TO" // a task to a person
)

// SyncedObject is an imported object.
type SyncedObject struct {
	ID                uuid.UUID
	IntegrationID     uuid.UUID
	Type              ObjectType
	Title             string
	Content           *string // Markdown
	Properties        map[string]any
	ExternalSource    string // the provider's name
	ExternalID        string // unique in the integration
	ExternalURL       *string
	ExternalParentID  *string
	ExternalUpdatedAt *time.Time
	SyncedAt          time.Time       // when its content was last written
	DeletedAt         *time.Time      // when it was found to be deleted at its source
	Relationships     []*Relationship // nil unless the reader asked for them
}

// Relationship leads from one imported object to another one of the same integration.
type Relationship struct {
	Type   RelationshipType
	Target *SyncedObject
}

// SyncedObjectFilter narrows a list of imported objects; zero fields do not.
type SyncedObjectFilter struct {
	Type             *ObjectType
	ExternalParentID *string // of what is directly in or below that object
	Search           *string // words of title and content, as web search engines take them
	IncludeDeleted   bool
}

// MaxSearch bounds a search, in characters.
const MaxSearch = 200
