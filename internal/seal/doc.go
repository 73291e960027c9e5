// Package seal holds the encryption keys and derives from them the passphrase that each row's secrets are sealed with.
// PostgreSQL's pgcrypto does the encryption itself; the master key never reaches it.
package seal
