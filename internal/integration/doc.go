// Package integration is the vocabulary of Patchbay: the types, states, rules and error kinds that every other
// package speaks. It imports the standard library and google/uuid only, and nothing of ours but itself, so that every
// arrow in the house may point at it.
package integration
