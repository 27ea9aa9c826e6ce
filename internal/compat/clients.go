package compat

import "context"

// Clients is.
func Clients(ctx context.Context, o Options) error { return nil }
