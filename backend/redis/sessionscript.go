package redis

import (
	"strconv"

	"forebay/backend"
)

// Where sessions are kept: in database 0, but for the index of fills, which is in the database of the keys it names. A session's
// hash has the fields id, name, first; "p:<row>" = "<told>:<connections>:<data>"; "c:<row>:<db>" = "<bytes>", or "<bytes>+" for claims
// that are not all told. When the session ends it is renamed to ended+ID, with reason, by, closed, token, keys and bytes; its claims stay
// where they are until it is forgotten. Times are Unix milliseconds of Redis's clock.
const (
	sessionPrefix  = hiddenPrefix + "session:"
	sessionLive    = sessionPrefix + "live"    // sorted set: name by the time it ends
	sessionEndings = sessionPrefix + "endings" // sorted set: ID by the time its releaser's lease ends
	sessionOf      = sessionPrefix + "of:"     // + name: the session's hash
	sessionEnded   = sessionPrefix + "ended:"  // + ID: the hash of an ended one
	sessionClaims  = sessionPrefix + "claims:" // + ID:row:db: string of hashes
	sessionFilled  = sessionPrefix + "filled"  // hash: what was filled with Track, by its mark (see mark)
)

// scriptNow begins the scripts. What is kept of a session outlives its end by a day (86,400,000 ms) if no Forebay is there to see to it.
// It is lost then, and its keys stay until their TTL.
const scriptNow = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function stamp(ms) return string.format('%.0f', ms) end
`

// beatScript applies one beat. KEYS: live, the session. ARGV: name, ID, new ID, create, limit, row, connections, data, stay, then
// db, total, hashes of each claim.
const beatScript = scriptNow + `
local live, own = KEYS[1], KEYS[2]
local name, known, row = ARGV[1], ARGV[2], ARGV[6]
local id, begun = redis.call('HGET', own, 'id'), 0
if not id then
	if ARGV[4] ~= '1' or redis.call('ZCARD', live) >= tonumber(ARGV[5]) then return {'', 0} end
	id, begun = ARGV[3], 1
	redis.call('DEL', own)
	redis.call('HSET', own, 'id', id, 'name', name, 'first', stamp(now))
end
redis.call('HSET', own, 'p:' .. row, stamp(now) .. ':' .. ARGV[7] .. ':' .. ARGV[8])
local ends = now + tonumber(ARGV[9])
local was = redis.call('ZSCORE', live, name)
if was and tonumber(was) > ends then ends = tonumber(was) end
redis.call('ZADD', live, stamp(ends), name)
local kept = stamp(ends - now + 86400000)
redis.call('PEXPIRE', own, kept)
if known == '' or known == id then
	for i = 10, #ARGV, 3 do
		local key = '` + sessionClaims + `' .. id .. ':' .. row .. ':' .. ARGV[i]
		if ARGV[i + 2] ~= '' then redis.call('APPEND', key, ARGV[i + 2]) end
		redis.call('HSET', own, 'c:' .. row .. ':' .. ARGV[i], ARGV[i + 1])
	end
end
local all = redis.call('HKEYS', own)
for i = 1, #all do
	if string.sub(all[i], 1, 2 + #row + 1) == 'c:' .. row .. ':' then
		redis.call('PEXPIRE', '` + sessionClaims + `' .. id .. ':' .. string.sub(all[i], 3), kept)
	end
end
return {id, begun}
`

// extendScript: KEYS: live, the session. ARGV: name, how long.
const extendScript = scriptNow + `
local was = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not was or redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local ends = now + tonumber(ARGV[2])
if tonumber(was) > ends then ends = tonumber(was) end
redis.call('ZADD', KEYS[1], stamp(ends), ARGV[1])
local kept = stamp(ends - now + 86400000)
redis.call('PEXPIRE', KEYS[2], kept)
local id, all = redis.call('HGET', KEYS[2], 'id'), redis.call('HKEYS', KEYS[2])
for i = 1, #all do
	if string.sub(all[i], 1, 2) == 'c:' then
		redis.call('PEXPIRE', '` + sessionClaims + `' .. id .. ':' .. string.sub(all[i], 3), kept)
	end
end
return 1
`

// dueScript: KEYS: live, endings. ARGV: limit.
const dueScript = scriptNow + `
return {
	redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', stamp(now), 'LIMIT', 0, ARGV[1]),
	redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', stamp(now), 'LIMIT', 0, ARGV[1]),
}
`

// closeScript: KEYS: live, the session, endings. ARGV: name, if due, token, lease, reason, by.
const closeScript = scriptNow + `
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends then return false end
if ARGV[2] == '1' and tonumber(ends) > now then return false end
redis.call('ZREM', KEYS[1], ARGV[1])
local id = redis.call('HGET', KEYS[2], 'id')
if not id then return false end
local ended = '` + sessionEnded + `' .. id
redis.call('RENAME', KEYS[2], ended)
redis.call('HSET', ended, 'token', ARGV[3], 'reason', ARGV[5], 'by', ARGV[6], 'closed', stamp(now))
redis.call('PEXPIRE', ended, '86400000')
redis.call('ZADD', KEYS[3], stamp(now + tonumber(ARGV[4])), id)
return {stamp(now), redis.call('HGETALL', ended)}
`

// takeScript: KEYS: endings, the ended session. ARGV: ID, token, lease.
const takeScript = scriptNow + `
local lease = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not lease or tonumber(lease) > now then return false end
if redis.call('EXISTS', KEYS[2]) == 0 then
	redis.call('ZREM', KEYS[1], ARGV[1])
	return false
end
redis.call('HSET', KEYS[2], 'token', ARGV[2])
redis.call('ZADD', KEYS[1], stamp(now + tonumber(ARGV[3])), ARGV[1])
return {stamp(now), redis.call('HGETALL', KEYS[2])}
`

// renewScript: KEYS: endings, the ended session. ARGV: ID, token, lease, keys, bytes.
const renewScript = scriptNow + `
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[1], stamp(now + tonumber(ARGV[3])), ARGV[1])
redis.call('HINCRBY', KEYS[2], 'keys', ARGV[4])
redis.call('HINCRBY', KEYS[2], 'bytes', ARGV[5])
return 1
`

// finishScript: KEYS: endings, the ended session. ARGV: ID, token.
const finishScript = `
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[2] then return false end
local keys, bytes = redis.call('HGET', KEYS[2], 'keys'), redis.call('HGET', KEYS[2], 'bytes')
local all = redis.call('HKEYS', KEYS[2])
for i = 1, #all do
	if string.sub(all[i], 1, 2) == 'c:' then
		redis.call('UNLINK', '` + sessionClaims + `' .. ARGV[1] .. ':' .. string.sub(all[i], 3))
	end
end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
return {keys or '0', bytes or '0'}
`

// claimsKey is where the scripts above put one row's claims.
func claimsKey(id string, c backend.SessionClaims) string {
	return sessionClaims + id + ":" + c.Row + ":" + strconv.Itoa(c.DB)
}
