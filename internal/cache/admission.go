package cache

// admits tells whether Redis may be given a value of so many bytes. What it may not is served all the same; see Options.Admit.
func (e *Engine) admits(bytes int) bool { return e.opts.Admit == nil || e.opts.Admit(bytes) }
