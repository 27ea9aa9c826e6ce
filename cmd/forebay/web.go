package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"forebay/internal/route"
	"forebay/internal/web"
)

// startHTTP prepares the dashboard, the live stream, values, metrics and health, to be served once everything is up: who asks before
// that waits.
func (n *node) startHTTP(context.Context) error {
	s, err := web.New(web.Options{
		Auth: web.Auth(n.cfg.HTTP.Auth), Authenticate: n.redis.Authenticate, Hosts: n.cfg.HTTP.Hosts,
		Values: n, Events: web.FromHub(n.events.Hub()), Sessions: sessionVerbs{n.sessions, n.events}, Checks: n.checks(),
		Routes: n.routeInfos, Stats: n.metrics.Snapshot, History: n.metrics.History, Gatherer: n.registry,
		ReadTimeout: n.cfg.Budget, Log: n.log,
	})
	if err != nil {
		return err
	}
	n.web = s
	end := background(func(ctx context.Context) {
		select {
		case <-n.ready:
		case <-ctx.Done():
			return
		}
		if err := s.Serve(n.http); err != nil {
			n.broken <- err
		}
	})
	n.up.push("http", func(ctx context.Context) error {
		err := s.Shutdown(ctx)
		end()
		return err
	})
	return nil
}

// checks are what health depends on. Reads can be answered while Redis or the source can be asked, so neither alone makes
// Forebay unready, and Kafka never does.
func (n *node) checks() []web.Check {
	list := []web.Check{
		{Name: "reads", Probe: n.canAnswer, Required: true},
		{Name: "redis", Probe: n.redisLine},
		{Name: n.source.name, Probe: n.source.Ping},
		{Name: "routes", Probe: n.routesBound},
	}
	list = append(list, n.boundChecks()...)
	if n.watcher != nil {
		list = append(list, web.Check{Name: "notifications", Probe: func(context.Context) error { return n.watcher.Healthy() }})
	}
	if n.near != nil {
		list = append(list, n.nearCheck())
	}
	if n.changes != nil {
		list = append(list, web.Check{Name: "invalidations", Probe: func(context.Context) error { return n.changes.Healthy() }})
	}
	for _, s := range n.sinks {
		list = append(list, web.Check{Name: s.Name(), Probe: func(context.Context) error { return s.Healthy() }})
	}
	return list
}

func (n *node) redisHealthy(context.Context) error {
	return errors.Join(n.redis.Err(), n.upkeep.unfit())
}

// canAnswer fails if neither Redis nor the source can be asked.
func (n *node) canAnswer(ctx context.Context) error {
	down := n.redisHealthy(ctx)
	if down == nil {
		return nil
	}
	if err := n.source.Ping(ctx); err != nil {
		return errors.Join(down, err)
	}
	for _, r := range n.routes.Routes() {
		if r.Bound() {
			return nil
		}
	}
	return fmt.Errorf("%w, and no route can be loaded", down)
}

// routesBound names the routes that cannot be loaded.
func (n *node) routesBound(context.Context) error {
	var names []string
	for _, r := range n.routes.Routes() {
		if !r.Bound() {
			names = append(names, r.Name)
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("not checked against the source yet, or not servable (see the log): %s", strings.Join(names, ", "))
}

// routeInfos describes the routes to people.
func (n *node) routeInfos() []web.RouteInfo {
	routes := n.routes.Routes()
	infos := make([]web.RouteInfo, len(routes))
	for i, r := range routes {
		spec := r.Spec()
		infos[i] = web.RouteInfo{
			Name: r.Name, Key: r.Pattern(), DB: r.DB, Table: spec.Table, Query: query(&spec), Value: valueText(&spec), TTL: r.TTL.String(),
		}
	}
	return infos
}

// query is the route's query with its expressions in place of values, for people.
func query(s *route.Spec) string {
	switch {
	case s.CQL != "":
		return strings.Join(strings.Fields(s.CQL), " ")
	case s.Object != nil:
		return ""
	}
	where := make([]string, len(s.Where))
	for i, b := range s.Where {
		where[i] = b.Column + " = " + b.Expr
	}
	return "SELECT " + strings.Join(columns(s), ", ") + " FROM " + s.Table + " WHERE " + strings.Join(where, " AND ")
}

func columns(s *route.Spec) []string {
	switch {
	case s.Hash != nil:
		return s.Hash
	case s.Encode == nil:
		return []string{s.Value}
	}
	var names []string
	for _, f := range s.Encode.Fields {
		names = append(names, f.Column)
	}
	return names
}

func valueText(s *route.Spec) string {
	switch {
	case s.Encode != nil:
		return s.Encode.Format
	case s.Hash != nil:
		return "hash"
	case s.Object != nil:
		return "object " + s.Object.Dataset + "/" + s.Object.Name
	case s.Value == "":
		return "column"
	default:
		return "column " + s.Value
	}
}
