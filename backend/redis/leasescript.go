package redis

// What the keys of leases hold, and the scripts that are the whole of the protocol (package backend, Leaser, says what each does as one
// step; the numbered argument is in internal/cache/lease.go).
//
//	__forebay:generation    G, a name that is never used twice: the token of the Acquire that found none
//	__forebay:area:<name>   "A<generation> <token>"
//	__forebay:lease:{…}     "L<generation> <token>", or "N<generation>" for a row that is absent; with a time to live
//
// To raise the generation is to remove it: the next Acquire makes another. So one that is evicted, or flushed, was raised, and no old one can come back,
// as a counter's could.
//
// A Redis that is full refuses what enlarges it, unless the script has written something before: so leases, of 100 bytes, remove first and are
// always given, and values come first in their script and are refused. After the first refusal the script itself refuses the others.
//
// What one command can ask of all keys at once, it asks (EXISTS, MGET, HDEL, DEL): a command of a script costs Redis 1.5 µs before it does anything, and
// most of what many misses cost it are these. And a word that a script is given costs it a string of Lua's: so values that are stored alike, nearly all that there
// are, have a script of their own (storeScript), which is told what they have in common once. That took 23 µs of Redis's time for each value of 3 KB, and takes 12.

// acquireScript. KEYS: the generation, then a key and its lease key each. ARGV: token, life in milliseconds (0: look only), a
// token whose leases are the caller's too (” for none), then a letter for each key, how it is asked for: s, h or a as a string, a hash or anything, in upper case to refresh. It returns the generation, then of each key one of
// {'v',string} {'h',fields} {'p'} present, {'n'} absent, {'b',milliseconds} busy, {'t'[,string]} taken, {'f'} free, {'x',error}. The generation alone: all are taken, and nothing is there.
const acquireScript = generationFunction + grantFunctions + `
local n, keys, leases = (#KEYS - 1) / 2, {}, {}
for i = 1, n do
	keys[i], leases[i] = KEYS[2 * i], KEYS[2 * i + 1]
end
local none, held = redis.call('EXISTS', unpack(keys)) == 0, redis.call('MGET', unpack(leases))
local out, free = {gen}, none and life > 0
for i = 1, n do
	free = free and not held[i]
end
if free then
	redis.call('DEL', leases[1])
	for i = 1, n do
		redis.call('SET', leases[i], mine, 'PX', life)
	end
	return out
end
for i = 1, n do
	local how = string.sub(ARGV[4], i, i)
	local r = not none and look(keys[i], string.lower(how))
	if not r or how == string.upper(how) and r[1] ~= 'x' then r = grant(leases[i], held[i], r) end
	out[i + 1] = r
end
return out
`

// generationFunction is that of all scripts that need a generation: it makes one from the token, if there is none and it is told to.
const generationFunction = `
local function generation(token, makes)
	local gen = redis.call('GET', KEYS[1])
	if not gen and makes then
		gen = token
		redis.call('DEL', KEYS[1])
		redis.call('SET', KEYS[1], gen)
	end
	return gen or ''
end
`

// grantFunctions are what acquireScript and agesScript have in common, and their first arguments. look is what is at a key, as how asks for it. grant is what is
// said of a key where nothing is, or where there is what is to be refreshed: held is what its lease key has. The first lease is removed before it is set: the script has
// written then, and no other is refused.
const grantFunctions = `
local token, life, former = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local gen, written = generation(token, life > 0), false
local mine, yours = 'L' .. gen .. ' ' .. token, 'L' .. gen .. ' ' .. former
local function look(key, how)
	local read = 'EXISTS'
	if how == 's' then read = 'STRLEN' elseif how == 'h' then read = 'HLEN' end
	local n = redis.pcall(read, key)
	if type(n) == 'table' then return {'x', n.err} end
	if how == 's' then
		if n > 262144 then return {'p'} end
		local v = redis.call('GET', key)
		return v and {'v', v}
	end
	if n == 0 then return false end
	if how == 'a' or n > 512 then return {'p'} end
	return {'h', redis.call('HGETALL', key)}
end
local function grant(lease, held, there)
	if gen ~= '' and held == 'N' .. gen and not there then return {'n'} end
	if gen ~= '' and held and held ~= mine and held ~= yours and string.sub(held, 1, #gen + 2) == 'L' .. gen .. ' ' then
		return {'b', redis.call('PTTL', lease)}
	end
	if life == 0 then return there or {'f'} end
	if not written then redis.call('DEL', lease) end
	written = true
	redis.call('SET', lease, mine, 'PX', life)
	return {'t', there and there[2]}
end
`

// enterScript. KEYS: the generation, an area. ARGV: a token. It returns the area's generation and token.
const enterScript = generationFunction + `
local gen = generation(ARGV[1], true)
local held = redis.call('GET', KEYS[2])
if held and string.sub(held, 1, #gen + 2) == 'A' .. gen .. ' ' then return {gen, string.sub(held, #gen + 3)} end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[2], 'A' .. gen .. ' ' .. ARGV[1])
return {gen, ARGV[1]}
`

// storeScript does what settleScript does for strings that are stored, of leases and of an area that are the same. KEYS: the generation, the index of fills, the area (the generation
// again for none), then of each entry its key and its lease key. ARGV: generation and token of the leases, of the area (” for none), then of each entry TTL, mark and value.
const storeScript = `
local gen, g, token, since, within = redis.call('GET', KEYS[1]), ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local n, leases, out, ended, marked, unmarked, full = (#KEYS - 3) / 2, {}, {}, {}, {}, {}, false
for i = 1, n do
	leases[i] = KEYS[2 * i + 3]
end
local held, mine = redis.call('MGET', unpack(leases)), 'L' .. g .. ' ' .. token
local leased = token ~= '' and gen == g
local ahead = within ~= '' and gen == since and redis.call('GET', KEYS[3]) == 'A' .. since .. ' ' .. within
for i = 1, n do
	local key, mark, err = KEYS[2 * i + 2], ARGV[3 * i + 3], false
	local own = token ~= '' and held[i] == mine
	local fits = own and leased
	if within ~= '' then fits = ahead and (fits or token == '') end
	if fits and full then
		fits = redis.call('EXISTS', key) == 0
		err = fits and full
	elseif fits then
		local stored = redis.pcall('SET', key, ARGV[3 * i + 4], 'PX', ARGV[3 * i + 2], 'NX')
		if stored and stored.err then
			fits = redis.call('EXISTS', key) == 0
			err = fits and stored.err
			if string.find(stored.err, 'OOM', 1, true) then full = stored.err end
		elseif not stored then
			fits = false
		elseif mark == '' then
			unmarked[#unmarked + 1] = key
		else
			marked[#marked + 1] = key
			marked[#marked + 1] = mark
		end
	end
	if own then ended[#ended + 1] = leases[i] end
	out[i] = err or (fits and 1 or 0)
end
if #marked > 0 then redis.pcall('HSET', KEYS[2], unpack(marked)) end
if #unmarked > 0 and redis.call('EXISTS', KEYS[2]) == 1 then redis.pcall('HDEL', KEYS[2], unpack(unmarked)) end
if #ended > 0 then redis.call('DEL', unpack(ended)) end
return out
`

// settleScript. KEYS: the generation, the index of fills, then of each entry its key, its lease key, its staged value and its area (the lease key again for
// none). ARGV of each entry: what is to be done, generation and token of its lease, of its area (” for none), TTL, argument, mark, how many values, the values. Of each it returns 1 if it fitted, 0 if not, or what
// Redis said to the value of one that fitted.
//
//	h  store a hash (fields)       m  rename the staged value, which has argument bytes
//	n  mark as absent       c  check       f  give up       k  keep
//
// Strings of at most MaxInline bytes go through storeScript; a larger one is staged, as 47 MB through Lua would stop Redis for 100 ms. The mark of what was stored is set in the same step, so that
// a refused fill has none, and what is stored without one has no older one: ” is none.
const settleScript = `
local gen = redis.call('GET', KEYS[1])
local n, a, leases, full = (#KEYS - 2) / 4, 1, {}, false
local out, unmarked, ended, areas = {}, {}, {}, {}
for i = 1, n do
	leases[i] = KEYS[4 * i]
end
local held = redis.call('MGET', unpack(leases))
for i = 1, n do
	local key, lease, staged, area = KEYS[4 * i - 1], KEYS[4 * i], KEYS[4 * i + 1], KEYS[4 * i + 2]
	local op, g, token, since, within = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
	local ttl, arg, mark, count = ARGV[a + 5], ARGV[a + 6], ARGV[a + 7], tonumber(ARGV[a + 8])
	local v = a + 9
	a = v + count
	local own = token ~= '' and held[i] == 'L' .. g .. ' ' .. token
	local fits, stored, err = own and gen == g, false, false
	if within ~= '' then
		areas[area] = areas[area] or redis.call('GET', area) or ''
		fits = (fits or token == '') and gen == since and areas[area] == 'A' .. since .. ' ' .. within
	end
	if op == 'f' then
		fits = own
	elseif op ~= 'k' then
		fits = fits and redis.call('EXISTS', key) == 0
	end
	if fits and full and (op == 'h' or op == 'm') then
		err = full
	elseif fits and op == 'h' then
		for f = v, v + count - 1, 1000 do
			stored = redis.pcall('HSET', key, unpack(ARGV, f, math.min(f + 999, v + count - 1)))
			if type(stored) == 'table' and stored.err then break end
		end
		if type(stored) ~= 'table' then redis.call('PEXPIRE', key, ttl) end
	elseif fits and op == 'm' then
		if redis.call('STRLEN', staged) == tonumber(arg) then
			stored = redis.pcall('RENAME', staged, key)
			redis.call('PEXPIRE', key, ttl)
		else
			err = 'LOST'
		end
	end
	if type(stored) == 'table' and stored.err then
		err = stored.err
		if string.find(err, 'OOM', 1, true) then full = err end
	elseif stored and mark == '' then
		table.insert(unmarked, key)
	elseif stored then
		redis.pcall('HSET', KEYS[2], key, mark)
	end
	if op == 'm' and (err or not stored) then redis.call('UNLINK', staged) end
	if op == 'k' then
		if fits then redis.call('PEXPIRE', lease, ttl) end
	elseif op == 'n' and fits and ttl ~= '0' then
		redis.call('DEL', lease)
		redis.call('SET', lease, 'N' .. g, 'PX', ttl)
	elseif own then
		table.insert(ended, lease)
	end
	out[i] = err or (fits and 1 or 0)
end
if #unmarked > 0 then redis.pcall('HDEL', KEYS[2], unpack(unmarked)) end
if #ended > 0 then redis.call('DEL', unpack(ended)) end
return out
`
