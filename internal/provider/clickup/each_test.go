package clickup

import (
	"context"
	"strings"
	"testing"
)

func TestAPanicInAReaderIsAnError(t *testing.T) {
	t.Parallel()
	given, end := 0, error(nil)
	for _, err := range each(t.Context(), []int{1, 2, 3}, func(_ context.Context, n int) (int, error) {
		if n == 2 {
			panic("pk_1_SECRET")
		}
		return n, nil
	}) {
		if err == nil {
			given++
		}
		end = err
	}
	if end == nil || !strings.Contains(end.Error(), "panic of type string") || strings.Contains(end.Error(), "SECRET") || given > 2 {
		t.Errorf("%d were given, and it ends with %v", given, end)
	}
}
