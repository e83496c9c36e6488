import { createHash } from 'node:crypto'

/** A program that the server runs as one step, and the digest that it knows it by. */
export interface Script {
  /** Its text, for a server that does not have it. */
  readonly lua: string
  /** Its digest, 40 hexadecimal digits. */
  readonly sha1: string
}

/*
 * Every script names all keys that it touches, as Cluster demands, and reads before it writes: what a script has written
 * when it fails stays written. That is also why a notice is published before the write: where the user may not publish,
 * nothing is saved, and a superfluous notice is harmless. No process receives it earlier, since a script is one step.
 *
 * Clients repeat a command whose reply was lost with the connection. So a script may run twice: for a lease, refetch or
 * generation that it has already served, it returns the same again.
 *
 * Nothing in Redis is trusted. A value of another type, of absurd length, without an expiry or with a longer one than was
 * asked for counts as absent, and is overwritten.
 */

/** The longest snapshot that is read, in bytes: as in a file store. */
const LONGEST_SNAPSHOT = 16 * 1024 * 1024

/** The longest copy of a refused snapshot, in bytes. Of a longer one, a note is kept. */
const LONGEST_COPY = 64 * 1024

/** The longest revocation that is read or written, in bytes, and the longest shared failure. */
export const LONGEST_RECORD: number = 8 * 1024

/** The longest lease id, refetch id, generation or revision, in bytes. The registry's have 32. */
const LONGEST_ID = 128

/** Milliseconds for which a failure may be shared at most: a provider's `Retry-After` is obeyed for ten minutes. */
const LONGEST_FAILURE = 15 * 60_000

/** `typeOf(key)`: `none` where there is nothing. */
const typeOf = `
local function typeOf(key) return redis.call('TYPE', key)['ok'] end
`

/** `fieldOf(key, field, longest)`: false where there is none, or the key is no hash; a number where it is longer. */
const fieldOf = `${typeOf}
local function fieldOf(key, field, longest)
  if typeOf(key) ~= 'hash' then return false end
  local length = redis.call('HSTRLEN', key, field)
  if length > longest then return length end
  return redis.call('HGET', key, field)
end
local function generationOf(key)
  local generation = fieldOf(key, 'generation', ${LONGEST_ID})
  if type(generation) ~= 'string' then return '' end
  return generation
end
`

/** `expiringText(key, longestLife, longest)`: a text that expires within `longestLife` ms; false for anything else. */
const expiringText = `
local function expiringText(key, longestLife, longest)
  if typeOf(key) ~= 'string' then return false end
  local left = redis.call('PTTL', key)
  if left < 0 or left > longestLife or redis.call('STRLEN', key) > longest then return false end
  return redis.call('GET', key)
end
local function holderOf(key, longestLife) return expiringText(key, tonumber(longestLife), ${LONGEST_ID}) end
local function failureOf(key) return expiringText(key, ${LONGEST_FAILURE}, ${LONGEST_RECORD}) end
`

/**
 * Writes snapshot and generation, which live and expire together. `HSET` comes first: if memory is full, it is the
 * command that fails. However late it is, a snapshot is kept for a minute by the server's clock: the writer's clock may
 * be behind.
 */
const write = `
local function write(key, snapshot, generation, keepUntil)
  local kind = typeOf(key)
  if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end
  redis.call('HSET', key, 'snapshot', snapshot, 'generation', generation)
  if keepUntil == '' then
    redis.call('PERSIST', key)
  else
    local least = redis.call('TIME')[1] * 1000 + 60000
    redis.call('PEXPIREAT', key, string.format('%.0f', math.max(tonumber(keepUntil), least)))
  end
end
`

/** KEYS: snapshot. Returns snapshot and generation, each nil where there is none; a sentence for what is not read. */
export const loadSnapshot: Script = script(`${fieldOf}
local kind = typeOf(KEYS[1])
if kind ~= 'hash' and kind ~= 'none' then return { 'a value of type ' .. kind, false } end
local snapshot = fieldOf(KEYS[1], 'snapshot', ${LONGEST_SNAPSHOT})
if type(snapshot) == 'number' then snapshot = 'longer than ${LONGEST_SNAPSHOT} bytes' end
return { snapshot, generationOf(KEYS[1]) }
`)

/** KEYS: snapshot, failure. ARGV: snapshot, generation, keepUntil or empty. */
export const saveSnapshot: Script = script(`${typeOf}${write}
write(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
redis.call('DEL', KEYS[2])
return 1
`)

/** KEYS: snapshot, failure. ARGV: snapshot, generation, keepUntil or empty, expected generation or empty, channel, notice. */
export const saveSnapshotIf: Script = script(`${fieldOf}${write}
local generation = generationOf(KEYS[1])
if generation == ARGV[2] then return 1 end
if generation ~= ARGV[4] then return 0 end
redis.call('PUBLISH', ARGV[5], ARGV[6])
write(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
redis.call('DEL', KEYS[2])
return 1
`)

/** KEYS: snapshot. */
export const deleteSnapshot: Script = script(`
return redis.call('DEL', KEYS[1])
`)

/** KEYS: snapshot, copy. ARGV: how long to keep the copy. */
export const setAsideSnapshot: Script = script(`${fieldOf}
local kind = typeOf(KEYS[1])
if kind == 'none' then return 0 end
local snapshot = kind ~= 'hash' and 'a value of type ' .. kind or fieldOf(KEYS[1], 'snapshot', ${LONGEST_COPY})
if type(snapshot) == 'number' then snapshot = 'longer than ${LONGEST_COPY} bytes: ' .. string.format('%.0f', snapshot) end
if not snapshot then return 0 end
local copy = typeOf(KEYS[2])
if copy ~= 'hash' and copy ~= 'none' then redis.call('DEL', KEYS[2]) end
redis.call('HSET', KEYS[2], 'snapshot', snapshot)
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1
`)

/** KEYS: lease, snapshot, failure. ARGV: lease id, ttl. Returns 1 where the caller holds the lease, generation, failure. */
export const acquireLease: Script = script(`${fieldOf}${expiringText}
local holder = holderOf(KEYS[1], ARGV[2])
local own = not holder or holder == ARGV[1]
local state = { own and 1 or 0, generationOf(KEYS[2]), failureOf(KEYS[3]) }
if own then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return state
`)

/** KEYS: lease. ARGV: lease id, ttl, longest ttl. Returns 1 where the lease was extended. */
export const renewLease: Script = script(`${typeOf}${expiringText}
if holderOf(KEYS[1], ARGV[3]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)

/** KEYS: lease, snapshot, failure. ARGV: longest ttl. Returns 1 where the lease is held, generation, failure. */
export const inspectLease: Script = script(`${fieldOf}${expiringText}
return { holderOf(KEYS[1], ARGV[1]) and 1 or 0, generationOf(KEYS[2]), failureOf(KEYS[3]) }
`)

/** KEYS: lease or refetch. ARGV: its id. */
export const removeIfOwn: Script = script(`${typeOf}
if typeOf(KEYS[1]) ~= 'string' or redis.call('STRLEN', KEYS[1]) > ${LONGEST_ID} then return 0 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`)

/** KEYS: lease, failure. ARGV: lease id, longest ttl of a lease, failure, ttl, channel, notice. */
export const shareFailure: Script = script(`${typeOf}${expiringText}
if holderOf(KEYS[1], ARGV[2]) ~= ARGV[1] then return 0 end
redis.call('PUBLISH', ARGV[5], ARGV[6])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1
`)

/** KEYS: refetch. ARGV: refetch id, cooldown. Returns 1 where the caller has the budget. */
export const reserveRefetch: Script = script(`${typeOf}${expiringText}
local holder = holderOf(KEYS[1], ARGV[2])
if holder then return holder == ARGV[1] and 1 or 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`)

/** KEYS: revocations. Returns the revision, nil where there is none. */
export const revocationsRevision: Script = script(`${fieldOf}
return fieldOf(KEYS[1], 'revision', ${LONGEST_ID})
`)

/**
 * KEYS: revocations. ARGV: cursor, count. Returns the next cursor (`0` at the end), then fields and values in turn. A
 * value that is too long is replaced by a sentence, so that it crosses no network.
 */
export const scanRevocations: Script = script(`${typeOf}
local kind = typeOf(KEYS[1])
if kind == 'none' then return { '0' } end
if kind ~= 'hash' then return { '0', '', 'a value of type ' .. kind } end
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local reply = { page[1] }
for index = 1, #page[2], 2 do
  local field, value = page[2][index], page[2][index + 1]
  if #field > ${LONGEST_ID} then field = 'longer than ${LONGEST_ID} bytes' end
  if #value > ${LONGEST_RECORD} then value = 'longer than ${LONGEST_RECORD} bytes' end
  reply[#reply + 1] = field
  reply[#reply + 1] = value
end
return reply
`)

/** KEYS: revocations. ARGV: id, revocation, revision, channel or empty, notice. */
export const saveRevocation: Script = script(`${typeOf}
if ARGV[4] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
local kind = typeOf(KEYS[1])
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], 'revision', ARGV[3])
if redis.call('PTTL', KEYS[1]) ~= -1 then redis.call('PERSIST', KEYS[1]) end
return 1
`)

/** KEYS: revocations, so that it runs on a master. ARGV: channel, message. Returns how many connections of that node received it. */
export const publish: Script = script(`
return redis.call('PUBLISH', ARGV[1], ARGV[2])
`)

/** KEYS: revocations, to ask the node that stores them. Returns what the server does when its memory is full. */
export const evictionPolicy: Script = script(`
return string.match(redis.call('INFO', 'memory'), 'maxmemory_policy:([%w-]+)')
`)

function script(lua: string): Script {
  return Object.freeze({ lua, sha1: createHash('sha1').update(lua).digest('hex') })
}
