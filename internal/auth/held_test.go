package auth

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"patchbay/internal/integration"
	"patchbay/internal/store/storetest"
)

// statements counts those that name the look at keys.
type statements struct{ n int }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if len(data.Args) == 1 {
		if _, ok := data.Args[0].([][]byte); ok {
			s.n++
		}
	}
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Whatever many streams are open, one query finds the keys that have ended; and here a revoked key needs none.
func TestWhatIsHeldEndsWithItsKey(t *testing.T) {
	t.Parallel()
	database := storetest.New(t)
	counted := &statements{}
	here, there := NewKeys(database.Open(t, integration.NewCatalogue(), counted)), NewKeys(database.Open(t, integration.NewCatalogue(), nil))
	type stream struct {
		context.Context
		release func()
	}
	var streams []stream
	var keys []*integration.APIKey
	var brief time.Time
	for i := range 4 {
		n := NewKey{Name: fmt.Sprint(i), Role: integration.RoleViewer}
		if i == 3 {
			brief = time.Now().Add(4 * time.Second)
			n.ExpiresAt = &brief
		}
		key, text, err := here.Create(t.Context(), admin, n)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
		for range 10 {
			ctx, release := here.Hold((&Sessions{keys: here}).WithAuthorization(t.Context(), "Bearer "+text.Expose()))
			defer release()
			streams = append(streams, stream{ctx, release})
		}
	}
	ended := func(i int) bool { return streams[i*10].Err() != nil && streams[i*10+9].Err() != nil }
	if err := here.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ended(0) || ended(1) || ended(2) {
		t.Fatal("a stream ended before its key did")
	}
	if _, err := there.Revoke(t.Context(), admin, keys[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Revoke(t.Context(), admin, keys[1].ID); err != nil {
		t.Fatal(err)
	}
	<-streams[19].Done() // without a look
	time.Sleep(time.Until(brief))
	if err := here.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 9, 10, 19, 30, 39} {
		<-streams[i].Done()
		if cause := context.Cause(streams[i]); cause != ErrEnded {
			t.Errorf("stream %d ended with %v", i, cause)
		}
	}
	if ended(2) {
		t.Error("a stream ended whose key has not")
	}
	want(t, counted.n, 2)

	for _, s := range streams {
		s.release()
		s.release()
	}
	want(t, len(here.held.keys), 0)
	if cause := context.Cause(streams[20]); cause != context.Canceled {
		t.Errorf("what was released ended with %v", cause)
	}
	if err := here.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, counted.n, 2) // with nothing held there is nothing to ask
}
