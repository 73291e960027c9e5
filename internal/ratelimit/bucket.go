// Package ratelimit keeps anybody from taking more of the server than is fair: a budget for each principal, and a limit
// for addresses that show bad credentials.
package ratelimit

import "time"

// window is how long a full bucket takes to drain; limits are per window.
const window = time.Minute

// bucket holds what somebody has used. It drains steadily, so that what is used up comes back little by little and not
// all at once at the turn of a minute.
type bucket struct {
	level float64
	at    time.Time
}

// drain lets out what has drained of a bucket of this capacity since it was last looked at.
func (b *bucket) drain(capacity float64, now time.Time) {
	b.level = max(b.level-capacity*now.Sub(b.at).Seconds()/window.Seconds(), 0)
	b.at = now
}

// untilRoom is how long a bucket of this capacity drains until so much more fits.
func (b *bucket) untilRoom(capacity, more float64) time.Duration {
	return time.Duration(max(b.level+more-capacity, 0) / capacity * float64(window))
}
