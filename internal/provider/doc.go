// Package provider knows the third parties that integrations connect to: what each one's folder declares, and whether
// settings that a client sent are what it asks for. Nothing above a provider's own folder tells providers apart by name.
package provider
