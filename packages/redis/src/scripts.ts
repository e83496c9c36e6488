import { createHash } from 'node:crypto'

/** A program that the server runs as one step, and the digest that it knows it by. */
export interface Script {
  /** Its text, for a server that does not have it. */
  readonly lua: string
  /** Its digest, 40 hexadecimal digits. */
  readonly sha1: string
}

/*
 * All of them name every key that they touch, as Cluster demands, and look before they write: what a script has written
 * when it fails stays written. That is also why a notice goes out before the write: where the user may not publish,
 * nothing is saved, and a notice too many harms nobody. Nobody sees it earlier, since a script is one step.
 *
 * Clients send a command again when its answer got lost with the connection. So each may run twice: what it did for this
 * token or generation before, it answers the same again.
 */

/**
 * Writes snapshot and generation, which live and expire together. `HSET` comes first: if memory is full, that is the
 * command which fails. However late it is, what was saved is kept for a minute by the server's clock: the writer's clock
 * may be behind.
 */
const write = `
local function write(key, snapshot, generation, keepUntil)
  redis.call('HSET', key, 'snapshot', snapshot, 'generation', generation)
  if keepUntil == '' then
    redis.call('PERSIST', key)
  else
    local least = redis.call('TIME')[1] * 1000 + 60000
    redis.call('PEXPIREAT', key, string.format('%.0f', math.max(tonumber(keepUntil), least)))
  end
end
`

/** KEYS: snapshot. Answers snapshot and generation, each nil where there is none. */
export const loadSnapshot: Script = script(`
return redis.call('HMGET', KEYS[1], 'snapshot', 'generation')
`)

/** KEYS: snapshot. ARGV: snapshot, generation, keepUntil or nothing. */
export const saveSnapshot: Script = script(`${write}
write(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
return 1
`)

/** KEYS: snapshot. ARGV: snapshot, generation, keepUntil or nothing, expected generation or nothing, channel, notice. */
export const saveSnapshotIf: Script = script(`${write}
local generation = redis.call('HGET', KEYS[1], 'generation') or ''
if generation == ARGV[2] then return 1 end
if generation ~= ARGV[4] then return 0 end
redis.call('PUBLISH', ARGV[5], ARGV[6])
write(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
return 1
`)

/** KEYS: snapshot. */
export const deleteSnapshot: Script = script(`
return redis.call('DEL', KEYS[1])
`)

/** KEYS: snapshot, copy. ARGV: how long to keep the copy. */
export const setAsideSnapshot: Script = script(`
if redis.call('COPY', KEYS[1], KEYS[2], 'REPLACE') == 1 then
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
return 1
`)

/** KEYS: lease, snapshot. ARGV: token, ttl. Answers whether the token has the lease now, and the generation or nil. */
export const acquireLease: Script = script(`
local holder = redis.call('GET', KEYS[1])
local own = not holder or holder == ARGV[1]
if own then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return { own and 1 or 0, redis.call('HGET', KEYS[2], 'generation') }
`)

/** KEYS: lease. ARGV: token, ttl. */
export const renewLease: Script = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)

/** KEYS: lease, snapshot. Answers whether anybody has the lease, and the generation or nil. */
export const inspectLease: Script = script(`
return { redis.call('EXISTS', KEYS[1]), redis.call('HGET', KEYS[2], 'generation') }
`)

/** KEYS: lease or look. ARGV: token. */
export const giveBack: Script = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`)

/** KEYS: look. ARGV: token, cooldown. */
export const reserveRefetch: Script = script(`
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
`)

/** KEYS: revocations. Answers the revision or nil. */
export const revocationsRevision: Script = script(`
return redis.call('HGET', KEYS[1], 'revision')
`)

/** KEYS: revocations. Answers fields and values in turn, the revision among them. */
export const loadRevocations: Script = script(`
return redis.call('HGETALL', KEYS[1])
`)

/** KEYS: revocations. ARGV: id, revocation, revision, channel or nothing, notice. */
export const saveRevocation: Script = script(`
if ARGV[4] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], 'revision', ARGV[3])
return 1
`)

/** KEYS: revocations, so that the node is asked which keeps them. Answers what the server does when its memory is full. */
export const evictionPolicy: Script = script(`
return string.match(redis.call('INFO', 'memory'), 'maxmemory_policy:([%w-]+)')
`)

function script(lua: string): Script {
  return Object.freeze({ lua, sha1: createHash('sha1').update(lua).digest('hex') })
}
