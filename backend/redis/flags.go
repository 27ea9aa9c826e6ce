package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const (
	flagsSetting = "notify-keyspace-events"
	// flagsNeeded: E, events by name and not by key; x expired; e evicted; g generic, of which del is one.
	flagsNeeded = "Exeg"
)

var (
	// errFlags is the cause of a watcher that the server does not tell all.
	errFlags = errors.New("redis does not send all the notifications that are needed")
	// errUnread is errFlags where that is only a fear.
	errUnread = fmt.Errorf("%w, or does not let it be checked", errFlags)
)

// missingFlags returns the letters that have must gain. "A" stands for all classes of events but not for E.
func missingFlags(have string) string {
	all := strings.Contains(have, "A")
	var missing strings.Builder
	for _, f := range flagsNeeded {
		if !strings.ContainsRune(have, f) && (!all || f == 'E') {
			missing.WriteRune(f)
		}
	}
	return missing.String()
}

// ensureFlags checks the server's notification flags and, in Manage, adds those that are missing to its own; changed
// tells whether it did. An error wraps errFlags if the server refuses or lacks them.
//
// Reading and setting are two commands: a flag that an operator adds between them is lost, as with any other tool that edits
// this setting. Two watchers that race add the same letters to the same value.
func (w *Watcher) ensureFlags(ctx context.Context) (changed bool, err error) {
	before, err := w.c.config(ctx, flagsSetting)
	if isReply(err) {
		return false, fmt.Errorf("read %s: %w: %w", flagsSetting, errUnread, err)
	} else if err != nil {
		return false, err
	}
	missing := missingFlags(before)
	if missing == "" {
		return false, nil
	}
	if w.opt.Mode == Require {
		return false, fmt.Errorf("check %s: %w: it is %q and lacks %q", flagsSetting, errFlags, before, missing)
	}
	_, err = w.c.ask(ctx, "config", "set", flagsSetting, before+missing)
	if isReply(err) {
		return false, fmt.Errorf("set %s from %q to %q: %w: %w", flagsSetting, before, before+missing, errFlags, err)
	} else if err != nil {
		return false, err
	}
	after, err := w.c.config(ctx, flagsSetting)
	if err != nil {
		return false, fmt.Errorf("read %s again: %w", flagsSetting, err)
	}
	w.c.log.Info("redis notification flags added", "setting", flagsSetting, "before", before, "after", after)
	if left := missingFlags(after); left != "" {
		return true, fmt.Errorf("set %s: %w: it is %q and lacks %q", flagsSetting, errFlags, after, left)
	}
	return true, nil
}
