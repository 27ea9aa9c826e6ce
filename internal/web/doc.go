// Package web is Forebay's HTTP port: the dashboard, the live stream of events, values by key, statistics, Prometheus
// metrics and health.
//
// A request passes, in this order:
//
//  1. the headers every answer carries (a content policy without inline code, no sniffing, no framing);
//  2. the Host check, which keeps pages of other sites from reaching a port on loopback by a name of their own that
//     resolves to it (DNS rebinding);
//  3. for what shows data, the rule that no authentication means loopback only;
//  4. authentication, where it is on;
//  5. its handler.
//
// Health and metrics skip 2 to 4: probes and scrapers come by addresses nobody can list, and no key or value is there.
//
// All of it reads, but for the end and the extension of sessions: by POST, with JSON, which no other site's page can send. There
// are no CORS headers: no other site's page is to read anything here. Errors are
// application/problem+json whose "code" is the word to dispatch on.
//
// The package knows the rest of Forebay by the small interfaces in options.go; the main program connects them.
package web
