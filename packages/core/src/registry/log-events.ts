import { elapsed, type Instant, instant } from '../base/clock.ts'
import { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { type Complete, integer, knownOptions, type OptionTable, objectOption, readOptions } from '../base/options.ts'
import { type RegistryEvents, registryEventTypes } from '../jwks-cache/cache-events.ts'
import { internals, internalsOf, type Registry } from './registry.ts'

/** A logger as pino's: an object with fields, then a message. */
export interface EventLogger {
  /** Logs what an operator has to act on. */
  error(fields: object, message: string): unknown
  /** Logs what may become an error. */
  warn(fields: object, message: string): unknown
  /** Logs a change. */
  info(fields: object, message: string): unknown
  /** Logs everything else. */
  debug(fields: object, message: string): unknown
}

/** Options of {@link logEvents}. */
export interface LogEventsOptions {
  /**
   * The most lines per minute for each type of event, so that a flood of one type hides no other. From 1; default 60. The
   * first line after a flood has `suppressed`, the number of those left out.
   */
  readonly maxLinesPerMinute?: number | undefined
}

type Level = keyof EventLogger

interface Entry<Event> {
  readonly level: Level | ((event: Event) => Level)
  readonly message: string
}

const table: OptionTable<LogEventsOptions, Complete<LogEventsOptions>> = { maxLinesPerMinute: integer({ min: 1 }, 60) }

const MINUTE = 60_000

/** What an operator has to act on is an error, what may become one a warning. */
const entries: { readonly [Type in keyof RegistryEvents]: Entry<RegistryEvents[Type]> } = {
  unavailable: { level: 'error', message: 'provider cannot serve requests' },
  recovered: { level: 'info', message: 'provider serves requests again' },
  stale: { level: 'warn', message: 'expired keys are served, because refreshes fail' },
  refused: {
    level: ({ status }) => (status >= 500 ? 'warn' : 'info'),
    message: 'request refused',
  },
  fetch: { level: 'debug', message: 'key set requested' },
  refresh: { level: 'debug', message: 'keys refreshed' },
  'refresh-failed': { level: 'warn', message: 'refresh failed' },
  'key-added': { level: 'info', message: 'key published' },
  'key-removed': { level: 'info', message: 'key withdrawn' },
  'key-changed': { level: 'warn', message: 'another key is published under a known kid' },
  'keys-refused': {
    level: ({ refused }) => (refused.some(({ reason }) => reason === 'private') ? 'error' : 'warn'),
    message: 'published keys are not used',
  },
  'unknown-kid': { level: 'debug', message: 'unknown kid: keys are fetched again' },
  'key-revoked': { level: 'warn', message: 'key revoked' },
  'key-unrevoked': { level: 'warn', message: 'revocation lifted' },
  'key-forgotten': { level: 'warn', message: 'immutable key forgotten' },
  evicted: { level: 'debug', message: 'keys dropped from memory' },
  'snapshot-loaded': { level: 'debug', message: 'keys loaded from the store' },
  'snapshot-saved': { level: 'debug', message: 'keys saved to the store' },
  'snapshot-refused': {
    level: ({ reason }) => (reason === 'integrity' || reason === 'binding' ? 'error' : 'warn'),
    message: 'stored data refused',
  },
  'store-failed': { level: 'warn', message: 'store failed' },
  'store-recovered': { level: 'info', message: 'store works again' },
  'store-warning': { level: 'warn', message: 'store warning' },
  'tenant-lookup-failed': { level: 'error', message: 'tenant could not be looked up' },
  'issuer-shared': { level: 'error', message: 'provider refused: another tenant has its issuer' },
  'issuer-mismatch': { level: 'warn', message: 'issuer of a token is almost the configured one' },
}

/**
 * Logs the events of a registry with a logger such as pino's. A line has the fields of the event, with `event` for its type
 * and, of an error, its `code` and `message`: no token, no secret and no text of a provider. The returned function stops it.
 *
 * @throws TypeError that names a wrong option or a method that the logger lacks
 */
export function logEvents(registry: Registry, logger: EventLogger, options: LogEventsOptions = {}): () => void {
  const { clock } = internalsOf(registry)[internals]
  checkLogger(logger)
  const given = objectOption('options', options)
  knownOptions('options', given, Object.keys(table))
  const { maxLinesPerMinute: most } = readOptions('', given, table)

  function logType<Type extends keyof RegistryEvents>(
    type: Type,
    { level, message }: Entry<RegistryEvents[Type]> = entries[type],
  ): () => void {
    let window: { readonly since: Instant; lines: number; suppressed: number } | undefined
    return registry.on(type, (event) => {
      const now = instant(clock)
      const isOver = window === undefined || elapsed(window.since, now) >= MINUTE
      const suppressed = isOver ? (window?.suppressed ?? 0) : 0
      if (window === undefined || isOver) window = { since: now, lines: 0, suppressed: 0 }
      if (window.lines >= most) {
        window.suppressed += 1
        return
      }
      window.lines += 1
      const fields = { event: type, ...fieldsOf(event), ...(suppressed > 0 && { suppressed }) }
      return logger[typeof level === 'function' ? level(event) : level](fields, message)
    })
  }

  const removers = registryEventTypes.map((type) => logType(type))
  return () => {
    for (const remove of removers) remove()
  }
}

/** An error is reduced to its code and its fixed sentence: its causes may quote others. */
function fieldsOf(event: object): object {
  if (!('error' in event) || !(event.error instanceof JwksAuthError)) return { ...event }
  const { code, message } = event.error
  return { ...event, error: { code, message } }
}

function checkLogger(logger: unknown): asserts logger is EventLogger {
  const methods = objectOption('logger', logger)
  for (const level of ['error', 'warn', 'info', 'debug']) {
    if (typeof methods[level] !== 'function') throw new TypeError(`logger must have a method ${level}`)
  }
}
