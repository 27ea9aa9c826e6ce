package config

import "log/slog"

// redacted stands for a secret wherever one would be printed.
const redacted = "[redacted]"

// Secret is a password. It prints, logs and marshals as a placeholder; string(s) is the text itself, for the one call that
// sends it.
type Secret string

// String returns a placeholder, or "" for no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString is String: %#v shows no more than %v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// LogValue is String for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String for encoders. It never fails.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
