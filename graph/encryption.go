package graph

import (
	"context"

	"patchbay/internal/auth"
	"patchbay/internal/integration"
)

func (q query) EncryptionStatus(ctx context.Context) (*integration.EncryptionStatus, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return q.Connect.EncryptionStatus(ctx, p, selects(ctx, "unreadable"))
}

func (m mutation) RotateEncryptionKey(ctx context.Context) (*integration.KeyRotation, error) {
	p, err := auth.Principal(ctx)
	if err != nil {
		return nil, err
	}
	return m.Connect.RotateKey(ctx, p)
}
