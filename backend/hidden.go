package backend

// HiddenPrefix begins every key and channel that Forebays keep for themselves in Redis: leases, generations, areas, values on their way, sessions,
// positions, marks. Clients do not see them where keys are listed (package proxy, hidden.go); who names one has it.
const HiddenPrefix = "__forebay:"
