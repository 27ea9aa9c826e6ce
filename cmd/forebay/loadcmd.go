package main

type loadCmd struct{}

// Run .
func (loadCmd) Run(c *console) error { return misused("load is not there yet") }
