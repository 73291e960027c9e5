package connect

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"patchbay/internal/provider"
	"patchbay/internal/store"
)

const (
	// unhookTimeout bounds the removal of a webhook that nobody needs any more, whose asker waits.
	unhookTimeout = 5 * time.Second
	// lateUnhookTime is how long it is gone on with where the token's limit is used up, which an import does for hours.
	lateUnhookTime = 15 * time.Minute
	// mostLateUnhooks bounds how many of these a process goes on with, each of which holds a token in memory.
	mostLateUnhooks = 100
	// lastUnhooks is how long the end of the process waits for them.
	lastUnhooks = 5 * time.Second
)

// lateUnhooks are removals of webhooks that wait for a token's limit.
type lateUnhooks struct {
	mu    sync.Mutex
	n     int
	ended bool
	all   sync.WaitGroup
	stop  chan struct{} // closed where they are waited for no more
}

func newLateUnhooks() *lateUnhooks { return &lateUnhooks{stop: make(chan struct{})} }

// begin calls fn in a goroutine; false where there are too many, or the process ends.
func (l *lateUnhooks) begin(fn func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.n == mostLateUnhooks {
		return false
	}
	l.n++
	l.all.Go(func() {
		fn()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.n--
	})
	return true
}

// Close waits, for a little, for the removal of webhooks that is under way. It is safe to call twice.
func (s *Service) Close() {
	l := s.late
	l.mu.Lock()
	first := !l.ended
	l.ended = true
	l.mu.Unlock()
	if first {
		timer := time.AfterFunc(lastUnhooks, func() { close(l.stop) })
		defer timer.Stop()
	}
	l.all.Wait()
}

// unhook removes a webhook that nobody needs any more, as well as that goes; beside, where the token's limit is used up. One that stays
// gets errors for answers, until the third party gives it up. id is the integration that had it.
func (s *Service) unhook(ctx context.Context, keeper provider.HookKeeper, id uuid.UUID, providerName, hook string) {
	ctx = context.WithoutCancel(ctx)
	err := s.tryUnhook(ctx, keeper, id, providerName, hook)
	var wait *provider.Wait
	if errors.As(err, &wait) && s.late.begin(func() { s.unhookLater(ctx, keeper, id, providerName, hook, wait) }) {
		return
	}
	s.hookStays(ctx, id, hook, err)
}

func (s *Service) unhookLater(ctx context.Context, keeper provider.HookKeeper, id uuid.UUID, providerName, hook string, wait *provider.Wait) {
	var err error = wait
	for gives := time.Now().Add(lateUnhookTime); errors.As(err, &wait) && wait.Until.Before(gives); {
		timer := time.NewTimer(time.Until(wait.Until))
		select {
		case <-timer.C:
		case <-s.late.stop:
			timer.Stop()
			s.hookStays(ctx, id, hook, err)
			return
		}
		err = s.tryUnhook(ctx, keeper, id, providerName, hook)
	}
	s.hookStays(ctx, id, hook, err)
}

func (s *Service) tryUnhook(ctx context.Context, keeper provider.HookKeeper, id uuid.UUID, providerName, hook string) error {
	ctx, cancel := context.WithTimeout(ctx, unhookTimeout)
	defer cancel()
	return s.removeHook(ctx, keeper, id, providerName, hook)
}

// hookStays tells the operator of a webhook that could not be removed, unless err is nil.
func (s *Service) hookStays(ctx context.Context, id uuid.UUID, hook string, err error) {
	if err != nil {
		s.log.WarnContext(ctx, "a webhook stays at the third party: remove it there", "integration", id, "hook", hook, "error", err)
	}
}

// removeHook removes an integration's webhook at the third party, unless another integration has it too, as those may that were taken over
// from the earlier module.
func (s *Service) removeHook(ctx context.Context, keeper provider.HookKeeper, id uuid.UUID, providerName, hook string) error {
	targets, err := s.db.WebhookTargetsByHook(ctx, providerName, hook)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if t.IntegrationID != id {
			s.log.InfoContext(ctx, "a webhook stays at the third party, as another integration has it too", "integration", id, "hook", hook, "other", t.IntegrationID)
			return nil
		}
	}
	return keeper.RemoveHook(ctx, hook)
}

// leaving is the webhook of an integration that is about to be deleted, for whose removal its secrets are needed. It is nil where
// there is none, or the secrets do not open; that keeps nobody from deleting.
func (s *Service) leaving(ctx context.Context, tenant *store.Tenant, project uuid.UUID, name string) (unhook func()) {
	version, err := tenant.IntegrationVersion(ctx, project, name)
	if err == nil && (version == nil || s.providers.Webhooks(version.Provider) == nil) {
		return nil
	}
	var hook *store.RegisteredHook
	if err == nil {
		hook, err = tenant.RegisteredHook(ctx, version.ID)
	}
	if err != nil {
		s.log.WarnContext(ctx, "a deleted integration's webhook stays at the third party, if it has one: remove it there", "project", project, "integration", name, "error", err)
		return nil
	}
	if hook == nil || hook.ID == "" {
		return nil
	}
	keeper, err := s.keeper(ctx, tenant, version.ID, "webhook removal")
	if err != nil {
		s.hookStays(ctx, version.ID, hook.ID, err)
		return nil
	}
	return func() { s.unhook(ctx, keeper, version.ID, version.Provider, hook.ID) }
}
