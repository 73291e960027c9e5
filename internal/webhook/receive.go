package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"patchbay/internal/connect"
	"patchbay/internal/integration"
	"patchbay/internal/provider"
	"patchbay/internal/ratelimit"
	"patchbay/internal/store"
)

const (
	// maxNesting is how deep its JSON may be.
	maxNesting = 100
	// maxWord is how long the names of a delivery and its event are kept, in bytes.
	maxWord = 255
	// bodyTime is how long a body may take to come. ClickUp waits 7 s for an answer.
	bodyTime = 10 * time.Second
)

// Answers to a delivery that is not taken. Neither says whether there is such an integration, or what is wrong with the signature.
var (
	errRefused    = integration.Invalid("", "the delivery is not signed by the secret of an integration at this address")
	errUnreadable = integration.Invalid("", "the delivery is no JSON of a form that is known")
)

// statusGone is nginx's for a sender that went away: nobody reads it, but measures and the log tell.
const statusGone = 499

// ServeHTTP takes a delivery to /webhooks/{provider}/{integration} or /webhooks/{provider}. It answers 200 once the delivery is stored,
// together with the job that works on it, or was before; 400 for what is not signed or cannot be read, never 401 or 410, which
// make third parties give up a webhook; and 503 where it could not be stored, so that it is sent again. Nothing of a body is read for an integration
// that does not exist.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hooks := s.connect.Webhooks(r.PathValue("provider"))
	if hooks == nil || r.PathValue("integration") == "" && hooks.HookID == nil {
		http.NotFound(w, r)
		return
	}
	status, began := http.StatusOK, time.Now()
	defer func() { s.measures.answer(r.Context(), r.PathValue("provider"), status, time.Since(began)) }()
	err := s.receive(w, r, hooks)
	var shown *integration.Error
	var unread *bodyError
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		w.WriteHeader(status)
	case errors.As(err, &tooLarge):
		status = http.StatusRequestEntityTooLarge
		http.Error(w, "a delivery may have at most "+strconv.Itoa(maxBody)+" bytes", status)
	case errors.As(err, &shown) && shown.Kind == integration.KindRateLimited:
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(shown.RetryAfterSeconds()))
		http.Error(w, "too many deliveries that nobody signed came from this address", status)
	case errors.Is(err, errRefused), errors.Is(err, errUnreadable):
		status = http.StatusBadRequest
		http.Error(w, shown.Message, status)
	case errors.As(err, &unread) && errors.Is(err, os.ErrDeadlineExceeded):
		status = http.StatusRequestTimeout
		http.Error(w, "the delivery took too long to come: send it again", status)
	case r.Context().Err() != nil, unread != nil && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)):
		status = statusGone
		w.WriteHeader(status)
	case unread != nil:
		status = http.StatusBadRequest
		http.Error(w, "the delivery broke off: send it again", status)
	default:
		status = http.StatusServiceUnavailable
		if !errors.Is(err, errFull) {
			s.Log.ErrorContext(r.Context(), "a delivery cannot be stored", "error", err)
		}
		http.Error(w, "the delivery could not be stored: send it again", status)
	}
}

// receive takes a delivery that is signed, and notes one that is not. What cannot be read counts against its sender, too.
func (s *Service) receive(w http.ResponseWriter, r *http.Request, hooks *provider.Webhooks) error {
	targets, signed, err := s.takeSigned(w, r, hooks)
	var unread *bodyError
	switch {
	case signed, err != nil && !errors.As(err, &unread):
		return err
	case err == nil:
		for _, t := range targets {
			s.noted(t.WebhookTarget, func(n *note) { n.refused++ })
		}
		err = errRefused
	}
	return s.Failures.Failed(r.Context(), s.RemoteAddr(r), err)
}

// takeSigned stores a delivery for each of the integrations that it may be for whose secret signed it, which is checked before anything
// of it is parsed. Those of the common address are found by the body. It holds the body no longer than that takes: who is refused may be held up.
func (s *Service) takeSigned(w http.ResponseWriter, r *http.Request, hooks *provider.Webhooks) (targets []*connect.WebhookTarget, signed bool, err error) {
	given := r.PathValue("integration")
	if given != "" {
		if targets, err = s.target(r, given); err != nil || len(targets) == 0 {
			return nil, false, err
		}
	}
	limit := http.NewResponseController(w)
	_ = limit.SetReadDeadline(time.Now().Add(bodyTime)) // not every writer of tests has one
	body, release, err := s.bodies.read(ratelimit.NetworkOf(s.RemoteAddr(r)), http.MaxBytesReader(w, r.Body, maxBody))
	defer release()
	if err != nil {
		return nil, false, err
	}
	_ = limit.SetReadDeadline(time.Time{}) // it would end the request's context
	if given == "" {
		if hook, ok := hooks.HookID(body); ok && hook != "" && plain(hook) {
			if targets, err = s.connect.WebhookTargetsByHook(r.Context(), r.PathValue("provider"), hook); err != nil {
				return nil, false, err
			}
		}
	}
	now := time.Now()
	signers := slices.DeleteFunc(slices.Clone(targets), func(t *connect.WebhookTarget) bool {
		return len(body) == 0 || !hooks.Verify(r.Header, body, t.Secrets(now), now)
	})
	if len(signers) == 0 {
		return targets, false, nil
	}
	return targets, true, s.accept(r.Context(), hooks, signers, r.Header, body)
}

// target is the integration that an address names, if there is one.
func (s *Service) target(r *http.Request, given string) ([]*connect.WebhookTarget, error) {
	id, err := uuid.Parse(given)
	if err != nil {
		return nil, nil
	}
	target, err := s.connect.WebhookTarget(r.Context(), r.PathValue("provider"), id)
	if err != nil || target == nil {
		return nil, err
	}
	return []*connect.WebhookTarget{target}, nil
}

// accept stores a verified delivery for each of its targets. Where it fails for one of them, it does not for the others: the
// repeat that is asked for does these no harm.
func (s *Service) accept(ctx context.Context, hooks *provider.Webhooks, targets []*connect.WebhookTarget, header http.Header, body []byte) (failed error) {
	kept := map[string]string{}
	for _, name := range hooks.Headers {
		if value := header.Get(name); value != "" {
			kept[http.CanonicalHeaderKey(name)] = strings.ToValidUTF8(strings.ReplaceAll(value, "\x00", ""), "\uFFFD")
		}
	}
	read, err := readDelivery(hooks, kept, body)
	if err != nil {
		for _, t := range targets {
			s.Log.WarnContext(ctx, "a signed delivery cannot be read", "integration", t.IntegrationID, "provider", t.Provider)
		}
		return err
	}
	for _, t := range targets {
		failed = errors.Join(failed, s.store(ctx, t.WebhookTarget, store.NewDelivery{
			ID: uuid.Must(uuid.NewV7()), IntegrationID: t.IntegrationID, Key: read.key, ByBody: read.byBody, DeliveryID: read.id, Event: read.event, Object: read.object,
			Reads: read.reads, Payload: body, Headers: kept,
		}))
	}
	return failed
}

// store stores a delivery with its job, in one transaction.
func (s *Service) store(ctx context.Context, t *store.WebhookTarget, n store.NewDelivery) error {
	tenant := s.db.Tenant(integration.Scope{Org: t.Org, Actor: actor})
	err := tenant.InTx(ctx, func(tx *store.Tenant) error {
		object, err := tx.StoreDelivery(ctx, n)
		if err != nil || object == nil {
			return err
		}
		return tx.Enqueue(ctx, objectArgs{Org: t.Org, Object: *object, Fence: store.FirstFence})
	})
	if err == nil {
		now := time.Now()
		s.noted(t, func(n *note) { n.latest = &now })
	}
	return err
}

// actor is whom the trail names for what webhooks make this server do.
const actor = "webhook"

// reading is a delivery as it is stored.
type reading struct {
	key       [sha256.Size]byte
	byBody    bool // key is the body's hash
	id, event string
	object    string // what it is about; empty where it is ignored
	reads     store.DeliveryReads
}

// readDelivery reads a delivery's kept headers and body.
func readDelivery(hooks *provider.Webhooks, kept map[string]string, body []byte) (reading, error) {
	if !utf8.Valid(body) || !shallow(body) || !json.Valid(body) {
		return reading{}, errUnreadable
	}
	header := http.Header{}
	for name, value := range kept {
		header.Set(name, value)
	}
	d, err := hooks.Read(header, body)
	if err != nil {
		return reading{}, errUnreadable
	}
	r := reading{id: word(d.ID), event: word(d.Event)}
	if d.Key != "" {
		r.key = sha256.Sum256([]byte("key\x00" + d.Key))
	} else {
		r.key, r.byBody = sha256.Sum256(append([]byte("body\x00"), body...)), true
	}
	if r.id == "" {
		r.id = "sha256:" + hex.EncodeToString(r.key[:8])
	}
	if d.Ignored {
		return r, nil
	}
	r.reads = store.DeliveryReads{Changed: named(d.Changed), Details: named(d.Details), Moved: named(d.Moved), Gone: named(d.Gone)}
	// What is last is what the delivery is about: parents come before it.
	for _, list := range [][]store.NamedObject{r.reads.Gone, r.reads.Changed, r.reads.Moved, r.reads.Details} {
		if len(list) > 0 {
			about := list[len(list)-1]
			r.object = string(about.Type) + "/" + about.ExternalID
			break
		}
	}
	return r, nil
}

// named are those of the refs that could be stored.
func named(refs []provider.Ref) (list []store.NamedObject) {
	for _, ref := range refs {
		if plain(ref.ExternalID) && ref.ExternalID != "" {
			list = append(list, store.NamedObject(ref))
		}
	}
	return list
}

// plain reports whether a text of a delivery can be an external id.
func plain(text string) bool {
	return len(text) <= integration.MaxExternalID && utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

// word is a name of a delivery as it is kept.
func word(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	if len(text) > maxWord {
		text = strings.ToValidUTF8(text[:maxWord], "")
	}
	return text
}

// shallow reports whether JSON is nested no deeper than maxNesting.
func shallow(body []byte) bool {
	depth, quoted, escaped := 0, false, false
	for _, c := range body {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '[' || c == '{':
			if depth++; depth > maxNesting {
				return false
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return true
}
