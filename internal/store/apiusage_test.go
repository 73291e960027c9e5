package store_test

import (
	"sync"
	"testing"

	"patchbay/internal/store"
	"patchbay/internal/store/storetest"
)

func TestUsageAddsUpAndDrains(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := storetest.New(t)
	s := d.Open(t, catalogue, nil)
	root := d.Connect(t, "", "")
	add := func(used map[store.APIAccount]float64, drain float64) map[store.APIAccount]float64 {
		t.Helper()
		sums, err := s.AddAPIUsage(ctx, used, drain)
		if err != nil || len(sums) != len(used) {
			t.Fatalf("%v, %v", sums, err)
		}
		return sums
	}
	a, b := store.APIAccount{1}, store.APIAccount{2}
	add(map[store.APIAccount]float64{a: 40}, 0)
	if sums := add(map[store.APIAccount]float64{a: 2, b: 7}, 0); sums[a] != 42 || sums[b] != 7 {
		t.Errorf("the sums are %v", sums)
	}
	execute(t, root, `UPDATE kb.api_usage SET at = at - interval '10 seconds'`)
	if sums := add(map[store.APIAccount]float64{a: 1, b: 1}, 2); sums[a] > 23 || sums[a] < 13 || sums[b] != 1 {
		t.Errorf("after 10 s at 2 a second the sums are %v", sums)
	}
	execute(t, root, `UPDATE kb.api_usage SET at = at + interval '1 hour' WHERE account = $1`, a[:])
	if sums := add(map[store.APIAccount]float64{a: 0}, 2); sums[a] > 23 {
		t.Errorf("a clock that was set back adds: %v", sums)
	}
	execute(t, root, `UPDATE kb.api_usage SET at = now() - interval '11 minutes' WHERE account = $1`, b[:])
	if err := s.PruneAPIUsage(ctx); err != nil {
		t.Fatal(err)
	}
	if left := column[[]byte](t, root, `SELECT account FROM kb.api_usage`); len(left) != 1 || store.APIAccount(left[0]) != a {
		t.Errorf("after pruning there are %x", left)
	}
}

// Servers that add up the same accounts at once wait for each other, and never in a circle.
func TestServersAddUpAtOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := storetest.New(t)
	s := d.Open(t, catalogue, nil)
	used := map[store.APIAccount]float64{}
	for i := range 200 {
		used[store.APIAccount{byte(i)}] = 1
	}
	var servers sync.WaitGroup
	for range 6 {
		servers.Go(func() {
			for range 20 {
				if _, err := s.AddAPIUsage(ctx, used, 0); err != nil {
					t.Error(err)
				}
				if err := s.PruneAPIUsage(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	servers.Wait()
	sums, err := s.AddAPIUsage(ctx, map[store.APIAccount]float64{{}: 0, {199}: 0}, 0)
	if err != nil || sums[store.APIAccount{}] != 120 || sums[store.APIAccount{199}] != 120 {
		t.Errorf("%v, %v", sums, err)
	}
}
