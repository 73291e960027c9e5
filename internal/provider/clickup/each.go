package clickup

import (
	"context"
	"fmt"
	"iter"
	"sync"
)

// together is how many requests of one reader are under way at most. The client keeps to the token's limit.
const together = 8

// each calls read for every item, several at a time, and gives what they return as it comes. After an error no more are begun;
// what was under way is given, and the first error last, so that nothing that was read is lost.
func each[T, R any](ctx context.Context, items []T, read func(context.Context, T) (R, error)) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		type result struct {
			value R
			err   error
		}
		results, todo, failed := make(chan result), make(chan T), make(chan struct{})
		var readers sync.WaitGroup
		for range min(together, len(items)) {
			readers.Go(func() {
				for item := range todo {
					value, err := shielded(ctx, item, read)
					results <- result{value, err}
				}
			})
		}
		go func() {
			defer func() { close(todo); readers.Wait(); close(results) }()
			for _, item := range items {
				select {
				case todo <- item:
				case <-failed:
					return
				case <-ctx.Done():
					return
				}
			}
		}()
		defer func() {
			cancel()
			for range results { // the readers end before this does
			}
		}()
		var first error
		given := 0
		for r := range results {
			switch {
			case r.err != nil && first == nil:
				first = r.err
				close(failed)
			case r.err == nil:
				if given++; !yield(r.value, nil) {
					return
				}
			}
		}
		if first == nil && given < len(items) {
			first = ctx.Err()
		}
		if first != nil {
			var none R
			yield(none, first)
		}
	}
}

// shielded makes a panic of read an error, which would end the program from a goroutine. Only its type: it may quote anything.
func shielded[T, R any](ctx context.Context, item T, read func(context.Context, T) (R, error)) (value R, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic of type %T where ClickUp's answer was read", panicked)
		}
	}()
	return read(ctx, item)
}
