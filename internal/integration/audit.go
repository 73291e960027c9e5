package integration

import (
	"time"

	"github.com/google/uuid"
)

// AuditEvent is an entry of the audit trail: who did what, written in the transaction that does it.
type AuditEvent struct {
	ID            uuid.UUID
	At            time.Time
	Actor         string
	Action        string // an AuditAction; a newer server may have written one that this one does not know
	OrgID         string
	ProjectID     *uuid.UUID // nil where the whole organisation is concerned
	IntegrationID *uuid.UUID
	Changes       map[string]any // what changed, by name; never a secret's value
	RequestID     *string
	RemoteAddr    *string
}

// AuditAction says what was done.
type AuditAction string

const (
	AuditProjectCreate       AuditAction = "project.create"
	AuditIntegrationCreate   AuditAction = "integration.create"
	AuditIntegrationAdopt    AuditAction = "integration.adopt"
	AuditIntegrationUpdate   AuditAction = "integration.update"
	AuditIntegrationDelete   AuditAction = "integration.delete"
	AuditAPIKeyCreate        AuditAction = "api_key.create"
	AuditAPIKeyRevoke        AuditAction = "api_key.revoke"
	AuditSessionCreate       AuditAction = "session.create"
	AuditSecretsOpen         AuditAction = "secrets.open"
	AuditWebhookSecretRotate AuditAction = "webhook_secret.rotate"
	AuditWebhookRegister     AuditAction = "webhook.register"
	AuditKeyRotate           AuditAction = "key.rotate"
	AuditSyncStart           AuditAction = "sync.start"
	AuditSyncCancel          AuditAction = "sync.cancel"
	AuditSyncReset           AuditAction = "sync.reset"
	AuditSyncScheduleSet     AuditAction = "sync_schedule.set"
	AuditSyncMappingsSet     AuditAction = "sync_mappings.set"
	AuditDeliveryReplay      AuditAction = "webhook_delivery.replay"
	AuditSettingsTest        AuditAction = "settings.test"
	AuditKeyForget           AuditAction = "key.forget"
	AuditMutationDenied      AuditAction = "mutation.denied"
)

// AuditFilter narrows the audit trail; zero fields do not.
type AuditFilter struct {
	ProjectID     *uuid.UUID
	IntegrationID *uuid.UUID
	Action        *string
	Actor         *string
	Since, Until  *time.Time // from, and before
}
