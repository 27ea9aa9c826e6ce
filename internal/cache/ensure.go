package cache

import (
	"context"
	"errors"
	"strings"
)

// ErrNotKept means that a value was loaded, and that Redis does not hold it all the same: it is full, or something removes the key.
var ErrNotKept = errors.New("redis did not keep the value that was loaded")

// Found is what Ensure tells of a key.
type Found uint8

// What Ensure found.
const (
	FoundNowhere  Found = iota // neither Redis nor the source has it
	FoundInRedis               // Redis held it
	FoundInSource              // it was loaded, and Redis holds it now
)

// Ensure has the keys loaded and stored that Redis does not hold, for commands that Redis itself must find their values for: those that
// change a part of one, or scripts. The values do not pass through here if Redis holds them.
//
// Without an error, each key is in Redis or the source has no such row: a value that was loaded and not stored is no success. So it looks once
// more:
//
//  1. R, who must not store what it reads (Mode.NoFill), begins a flight.
//  2. Ensure joins it, and gets the value.
//  3. The script that is sent now finds nothing. So Ensure asks Redis again, and begins a flight of its own.
//
// The first error is that of all. Errors are those of [Engine.Read], or wrap backend.ErrStoreDown, or are ErrNotKept. It returns within the budget.
func (e *Engine) Ensure(ctx context.Context, db int, wants []Want) ([]Found, error) {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Budget)
	defer cancel()
	found := make([]Found, len(wants))
	todo := make([]int, len(wants))
	for i := range todo {
		todo[i] = i
	}
	for round := 0; ; round++ {
		var err error
		if todo, err = e.absentOf(ctx, db, wants, todo, found, round); err != nil || len(todo) == 0 {
			return found, err
		}
		if round == maxRounds {
			return found, ErrNotKept
		}
		if todo, err = e.loadOf(ctx, db, wants, todo, found); err != nil {
			return found, err
		}
	}
}

// absentOf returns which of todo Redis does not hold, and notes the others as found. Of a route with rules the first round takes every key for absent:
// whether what Redis holds is to be worked on shows only to a reader (breaks).
func (e *Engine) absentOf(ctx context.Context, db int, wants []Want, todo []int, found []Found, round int) (absent []int, err error) {
	if len(todo) == 0 {
		return nil, nil
	}
	keys := make([][]byte, len(todo))
	for n, i := range todo {
		keys[n] = wants[i].Key
	}
	ctx, cancel := context.WithTimeout(ctx, e.opts.StoreBudget)
	defer cancel()
	there, err := e.opts.Store.Exists(ctx, db, keys)
	if err != nil {
		return nil, err
	}
	for n, i := range todo {
		switch {
		case !there[n], round == 0 && wants[i].Route.Rules != nil:
			absent = append(absent, i)
		case round == 0:
			found[i] = FoundInRedis
		case found[i] == FoundNowhere:
			found[i] = FoundInSource
		}
	}
	return absent, nil
}

// loadOf has todo loaded and returns which of them must be in Redis now; for the others there is no row.
func (e *Engine) loadOf(ctx context.Context, db int, wants []Want, todo []int, found []Found) (loaded []int, err error) {
	list := make([]Want, len(todo))
	for n, i := range todo {
		list[n] = wants[i]
	}
	for n, res := range e.Read(ctx, db, list, Mode{Keep: true}) {
		switch {
		case res.Err != nil && wants[todo[n]].Route.Rules != nil && strings.Contains(res.Err.Error(), "WRONGTYPE "):
			found[todo[n]] = FoundInRedis // something of another type: the command is for Redis to refuse
		case res.Err != nil:
			return nil, res.Err
		case res.Value != nil || res.Stored:
			loaded = append(loaded, todo[n])
			if res.Cached {
				found[todo[n]] = FoundInRedis
			}
		}
	}
	return loaded, err
}
