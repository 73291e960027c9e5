package main

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// BenchmarkForeignAndMissing measures what the store's TestForeignAndMissingAreTheSameWork derives: how long it takes to hide
// acme's things from another organisation, as a ratio to how long it takes to say that something does not exist. It is 1 but for
// noise.
func BenchmarkForeignAndMissing(b *testing.B) {
	w := newTenants(b)
	for _, name := range slices.Sorted(maps.Keys(rootCalls)) {
		call := rootCalls[name]
		if call.hidden == "" {
			continue
		}
		b.Run(name, func(b *testing.B) {
			took := map[bool][]time.Duration{}
			for i := 0; b.Loop(); i++ {
				exists := (i%2 == 0) != (i%4 >= 2) // a b b a: neither always comes after the other
				ids := nowhere()
				if exists {
					ids = w.acme
				}
				begun := time.Now()
				w.asked(b, w.foreign, placeholders.replace(call.query, ids))
				took[exists] = append(took[exists], time.Since(begun))
			}
			median := func(exists bool) float64 {
				slices.Sort(took[exists])
				return took[exists][len(took[exists])/2].Seconds()
			}
			if len(took) == 2 {
				b.ReportMetric(median(true)/median(false), "foreign/missing")
			}
		})
	}
}
