package redis

// Values whose age matters, and those whose TTL slides, are stamped: beside each is
//
//	__forebay:stamp:{…}     the digest of the value as it was stored
//
// in the value's slot, with the value's TTL to the millisecond. So it is known that Forebay has stored what is there, and nobody has written it since:
//
//   - who writes through a Forebay has removed the stamp before (Drop);
//   - who writes straight to Redis has other bytes, or another TTL, unless the same bytes are set to end in the same millisecond;
//   - who changes the bytes and keeps the TTL (APPEND, HSET) has another digest.
//
// A stamp that Redis evicts makes a value one that nobody refreshes, and that is served until its end. It takes about 130 bytes.
//
// The two scripts below are acquireScript and settleScript for such keys: the same protocol, and a stamp with each key. Keys without stamps do not pay for
// them.

// stampFunctions are what the scripts have in common. digest is that of what is there, "" for what is neither a string nor a hash. Fields are digested one by
// one and sorted by that, since a hash has no order, and the order of names depends on the server's locale.
//
// together compares the two ends by three looks, as the clock may go on between them: the stamp's must lie between those of the value. A millisecond does not matter:
// the stand-in keeps durations, which two calls make a little different.
const stampFunctions = `
local function digest(key)
	local kind = redis.call('TYPE', key).ok
	if kind == 'string' then
		local n = redis.call('STRLEN', key)
		if n <= 262144 then return 's' .. redis.sha1hex(redis.call('GET', key)) end
		return 'l' .. n .. ':' .. redis.sha1hex(redis.call('GETRANGE', key, 0, 65535))
	elseif kind == 'hash' then
		local n, sums = redis.call('HLEN', key), {}
		if n > 512 then return 'n' .. n end
		local fields = redis.call('HGETALL', key)
		for i = 1, #fields, 2 do
			sums[#sums + 1] = redis.sha1hex(#fields[i] .. ':' .. fields[i] .. fields[i + 1])
		end
		table.sort(sums)
		return 'h' .. redis.sha1hex(table.concat(sums))
	end
	return ''
end
local function together(key, stamp)
	local most, ends, least = redis.call('PTTL', key), redis.call('PTTL', stamp), redis.call('PTTL', key)
	return least >= 0 and least <= ends + 1 and ends <= most + 1
end
local function own(key, stamp)
	local held = redis.call('GET', stamp)
	return held and together(key, stamp) and digest(key) == held
end
`

// agesScript. KEYS: the generation, then a key, its lease key and its stamp each. ARGV: token, life, former token and a letter for each key, as in acquireScript,
// then of each key the most milliseconds that a value to be refreshed has left. It returns the generation, then of each key what acquireScript does, the value's TTL and
// whether it is Forebay's own.
const agesScript = generationFunction + grantFunctions + stampFunctions + `
local out = {gen}
for i = 1, (#KEYS - 1) / 3 do
	local key, lease, stamp, how, due = KEYS[3 * i - 1], KEYS[3 * i], KEYS[3 * i + 1], string.sub(ARGV[4], i, i), tonumber(ARGV[4 + i])
	local r, ours = look(key, string.lower(how)), false
	local left = redis.call('PTTL', key)
	if r and r[1] ~= 'x' then ours = own(key, stamp) end
	if not r or ours and how == string.upper(how) and left <= due then r = grant(lease, redis.call('GET', lease), r) end
	out[3 * i - 1], out[3 * i], out[3 * i + 1] = r, left, ours and 1 or 0
end
return out
`

// stampScript. KEYS: as settleScript's, and of each entry a fifth, its stamp (the lease key again for none). ARGV of each entry: what is to be done, generation and token of its
// lease, of its area, TTL, the staged value's size, mark ("?" before it: only if there is one already), the digest of what was seen (” for nothing), how many values,
// the values. It does what settleScript does, but where something was seen, that must be there.
//
// A hash is removed before it is stored anew: the script has written then, and Redis, however full, refuses nothing any more.
const stampScript = stampFunctions + `
local gen, t = redis.call('GET', KEYS[1]), redis.call('TIME')
local now, full, a, out = t[1] * 1000 + math.floor(t[2] / 1000), false, 1, {}
local function store(op, key, staged, ttl, size, seen, from, to)
	if op == 's' then return redis.pcall('SET', key, ARGV[from], 'PX', ttl) end
	if op == 'm' then
		if redis.call('STRLEN', staged) ~= tonumber(size) then return {err = 'LOST'} end
		return redis.pcall('RENAME', staged, key)
	end
	if seen ~= '' then redis.call('DEL', key) end
	for f = from, to, 1000 do
		local r = redis.pcall('HSET', key, unpack(ARGV, f, math.min(f + 999, to)))
		if type(r) == 'table' and r.err then return r end
	end
	return true
end
for i = 1, (#KEYS - 2) / 5 do
	local key, lease, staged, area, stamp = KEYS[5 * i - 2], KEYS[5 * i - 1], KEYS[5 * i], KEYS[5 * i + 1], KEYS[5 * i + 2]
	local op, g, token, since, within = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
	local ttl, size, mark, seen, n = ARGV[a + 5], ARGV[a + 6], ARGV[a + 7], ARGV[a + 8], tonumber(ARGV[a + 9])
	local v, stores = a + 10, op == 's' or op == 'h' or op == 'm'
	a = v + n
	local mine = token ~= '' and redis.call('GET', lease) == 'L' .. g .. ' ' .. token
	local fits, stored, err = mine and gen == g, false, false
	if within ~= '' then
		fits = (fits or token == '') and gen == since and redis.call('GET', area) == 'A' .. since .. ' ' .. within
	end
	if op == 'f' then
		fits = mine
	elseif op ~= 'k' and seen ~= '' then
		local same = digest(key) == seen -- the stand-in's Lua errs in longer conditions
		if stamp ~= lease and not together(key, stamp) then same = false end
		fits = fits and same
	elseif op ~= 'k' then
		fits = fits and redis.call('EXISTS', key) == 0
	end
	if fits and stores then
		stored = full and {err = full} or store(op, key, staged, ttl, size, seen, v, v + n - 1)
		if type(stored) == 'table' and stored.err then
			err, stored = stored.err, false
			if string.find(err, 'OOM', 1, true) then full = err end
		end
	end
	if stored then
		local at = string.format('%.0f', now + ttl)
		if stamp ~= lease then
			redis.call('SET', stamp, digest(key))
			redis.call('PEXPIREAT', stamp, at)
		end
		redis.call('PEXPIREAT', key, at)
		if mark == '' then
			redis.call('HDEL', KEYS[2], key)
		elseif string.sub(mark, 1, 1) ~= '?' then
			redis.pcall('HSET', KEYS[2], key, mark)
		elseif redis.call('HEXISTS', KEYS[2], key) == 1 then
			redis.pcall('HSET', KEYS[2], key, string.sub(mark, 2))
		end
	elseif op == 'm' then
		redis.call('UNLINK', staged)
	end
	if op == 'n' and fits and seen ~= '' then
		redis.call('UNLINK', key, stamp)
		redis.call('HDEL', KEYS[2], key)
	end
	if op == 'k' then
		if fits then redis.call('PEXPIRE', lease, ttl) end
	elseif op == 'n' and fits and ttl ~= '0' then
		redis.call('DEL', lease)
		redis.call('SET', lease, 'N' .. g, 'PX', ttl)
	elseif mine then
		redis.call('DEL', lease)
	end
	out[i] = err or (fits and 1 or 0)
end
return out
`
