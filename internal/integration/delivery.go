package integration

import (
	"time"

	"github.com/google/uuid"
)

// WebhookDeliveryStatus is what has become of a delivery.
type WebhookDeliveryStatus string

const (
	DeliveryReceived  WebhookDeliveryStatus = "RECEIVED"
	DeliveryProcessed WebhookDeliveryStatus = "PROCESSED"
	DeliveryIgnored   WebhookDeliveryStatus = "IGNORED" // nothing that is imported follows from it
	DeliveryFailed    WebhookDeliveryStatus = "FAILED"
)

// Valid reports whether s is one of the statuses.
func (s WebhookDeliveryStatus) Valid() bool {
	switch s {
	case DeliveryReceived, DeliveryProcessed, DeliveryIgnored, DeliveryFailed:
		return true
	}
	return false
}

// WebhookDelivery is one message of a third party's webhook that was verified.
type WebhookDelivery struct {
	ID            uuid.UUID
	IntegrationID uuid.UUID
	DeliveryID    string // the third party's id of it, or what comes next to one
	Event         string // in the third party's words
	Status        WebhookDeliveryStatus
	Attempts      int
	Error         *string // of the last attempt that failed
	ReceivedAt    time.Time
	ProcessedAt   *time.Time // when it was processed, ignored or given up
}
