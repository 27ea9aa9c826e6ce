// Package config is Forebay's typed configuration: what an operator may set, where it may be set, and
// what is wrong with what was set.
//
// A value comes from one of four places, the later ones winning: the defaults ([Default]), one YAML file, the
// environment (FOREBAY_REDIS_ADDRESS), and flags (redis.address). [Load] reads them all, then resolves secrets
// given as files, then validates:
//
//	defaults ─► file ─► environment ─► flags ─► secrets' files ─► Validate ─► *Config
//
// Invariants:
//
//   - One table (fields.go) names every scalar and list field once, with its text form, bounds and description. The file,
//     the environment, flags, [Example], [Config.Show] and [Reference] are all read from that table, so that they cannot
//     disagree. Routes are the exception: they are set in the file only and have their own reader.
//   - Nothing is reported alone: every mistake in every place comes back in one [*Error], each with its field,
//     value, bound and origin (the file's line, the variable, the flag).
//   - A mistake is reported once. A field that could not be read keeps its default, and is not judged again.
//   - A password is a [Secret]: it prints as a placeholder wherever it is printed, and its text is never in a [Problem].
package config
