package cache

import "context"

// Source gives a result for each of wants, of what the source holds now, whatever Redis does: for reads that Redis has answered with nothing, and of which it may
// hold since what they must not see. So no flight is joined:
//
//  1. Within a transaction, GET k and then SET k v are done; k had left Redis, and the GET was answered with nil.
//  2. Another's GET of k begins a flight, which looks in Redis and finds v.
//  3. The transaction's GET, had it joined, would be answered with what the transaction wrote behind it.
//
// Objects are read as by [Engine.Read]. Errors are those of Read, and so is when it returns.
func (e *Engine) Source(ctx context.Context, db int, wants []Want) []Result {
	results := make([]Result, len(wants))
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		for i := range results {
			results[i].Err = ErrClosed
		}
		return results
	}
	e.wg.Add(1)
	e.mu.Unlock()
	defer e.wg.Done()
	ctx, cancel := context.WithTimeout(ctx, e.opts.Budget)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	loads := make([]*load, 0, len(wants))
	at := make([]int, 0, len(wants))
	todo, twins := distinct(wants)
	for _, i := range todo {
		w := wants[i]
		if w.Route.IsObject() {
			results[i] = e.Read(ctx, db, wants[i:i+1], Mode{NoLook: true, NoFill: true})[0]
			continue
		}
		loads, at = append(loads, &load{flightKey: flightKey{db, string(w.Key)}, flight: &flight{}, route: w.Route}), append(at, i)
	}
	if len(loads) > 0 {
		e.query(ctx, loads)
	}
	for n, l := range loads {
		results[at[n]] = Result{Value: l.value, Err: l.err, Bytes: int64(len(l.value))}
	}
	for i, first := range twins {
		results[i] = results[first]
	}
	return results
}
