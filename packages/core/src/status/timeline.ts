import { LRUCache } from 'lru-cache'
import type { Clock } from '../base/clock.ts'
import { type ProviderKey, providerName } from '../base/provider-key.ts'
import type { ProviderStatus, Registry } from '../registry/registry.ts'
import { type Html, html } from './page-assets.ts'
import type { RefusalCount } from './plain-words.ts'

/** What became of a key. */
export type KeyChangeKind = 'added' | 'removed' | 'changed' | 'revoked' | 'unrevoked' | 'forgotten'

/** A change of one key of a provider. */
export interface KeyChange {
  /** Epoch milliseconds. */
  readonly time: number
  readonly change: KeyChangeKind
  /** The key's id, cut to 256 characters. */
  readonly kid: string
}

/** What has happened since the status handler was created, as far as it is worth showing. */
export interface StatusHistory {
  /** When it was created, in epoch milliseconds: changes before that are not known. */
  readonly since: number
  /** Refused requests of the last {@link REFUSAL_WINDOW} milliseconds, the most frequent code first; of one provider or of all. */
  refusals(provider?: ProviderKey): readonly RefusalCount[]
  /** The last changes of a provider's keys, newest first. */
  keyChanges(provider: ProviderKey): readonly KeyChange[]
}

/** How far back refused requests are counted, in milliseconds. */
export const REFUSAL_WINDOW = 900_000

const BUCKET = 60_000
/** Providers with a history. Those whose last event is the longest ago are forgotten. */
const MAX_PROVIDERS = 2_000
const MAX_CHANGES = 20
/** Characters of a `kid` that are kept; a provider chooses its length. */
export const MAX_KID = 256

const keyEvents = {
  'key-added': 'added',
  'key-removed': 'removed',
  'key-changed': 'changed',
  'key-revoked': 'revoked',
  'key-unrevoked': 'unrevoked',
  'key-forgotten': 'forgotten',
} as const satisfies Readonly<Record<string, KeyChangeKind>>

/** Records the events of a registry, as long as that lives. */
export function recordHistory(registry: Pick<Registry, 'on'>, clock: Clock): StatusHistory {
  const all = new RefusalWindow()
  const refusalsOf = new LRUCache<string, RefusalWindow>({ max: MAX_PROVIDERS })
  const changesOf = new LRUCache<string, readonly KeyChange[]>({ max: MAX_PROVIDERS })

  registry.on('refused', ({ tenant, provider, code, status }) => {
    const refusal = { code, status, wall: clock.now(), monotonic: clock.monotonic() }
    all.add(refusal)
    if (tenant === undefined || provider === undefined) return
    const name = providerName({ tenant, provider })
    const ofProvider = refusalsOf.get(name) ?? new RefusalWindow()
    ofProvider.add(refusal)
    refusalsOf.set(name, ofProvider)
  })
  for (const [type, change] of Object.entries(keyEvents) as [keyof typeof keyEvents, KeyChangeKind][]) {
    registry.on(type, ({ kid, ...provider }) => {
      const name = providerName(provider)
      const newest = { time: clock.now(), change, kid: kid.slice(0, MAX_KID) }
      changesOf.set(name, [newest, ...(changesOf.get(name) ?? [])].slice(0, MAX_CHANGES))
    })
  }

  return {
    since: clock.now(),
    refusals(provider) {
      const counted = provider === undefined ? all : refusalsOf.get(providerName(provider))
      return counted?.counts(clock.monotonic()) ?? []
    },
    keyChanges: (provider) => changesOf.get(providerName(provider)) ?? [],
  }
}

interface Refusal {
  readonly code: string
  readonly status: number
  readonly wall: number
  readonly monotonic: number
}

/** Counts by minute, so that a window that moves costs no memory for each request. */
class RefusalWindow {
  #buckets: { readonly number: number; readonly counts: Map<string, RefusalCount> }[] = []

  add({ code, status, wall, monotonic }: Refusal): void {
    const number = Math.floor(monotonic / BUCKET)
    let bucket = this.#buckets.at(-1)
    if (bucket?.number !== number) {
      bucket = { number, counts: new Map() }
      this.#buckets = [...this.#current(monotonic), bucket]
    }
    bucket.counts.set(code, { code, status, count: (bucket.counts.get(code)?.count ?? 0) + 1, last: wall })
  }

  counts(monotonic: number): readonly RefusalCount[] {
    const sums = new Map<string, RefusalCount>()
    for (const { counts } of this.#current(monotonic)) {
      for (const refusal of counts.values()) {
        sums.set(refusal.code, { ...refusal, count: (sums.get(refusal.code)?.count ?? 0) + refusal.count })
      }
    }
    return [...sums.values()].toSorted((one, other) => other.count - one.count)
  }

  #current(monotonic: number) {
    const oldest = Math.floor((monotonic - REFUSAL_WINDOW) / BUCKET)
    return this.#buckets.filter(({ number }) => number > oldest)
  }
}

/** Where the moments of a provider's keys are on its time line, in percent of its width. */
export interface Timeline {
  /** From here on the next refresh may start. */
  readonly due: number | undefined
  /** The keys are fresh up to here. */
  readonly expiry: number
  /** They may serve up to here while refreshes fail. */
  readonly unusable: number
  readonly now: number
  /** False for keys that never expire. */
  readonly isLimited: boolean
}

/** The line begins and ends a little inside, so that its marks are whole. */
const START = 2
const END = 98
/** Fresh and stale have parts of fixed length: the one may last minutes and the other a day. */
const EXPIRY = 50
const UNUSABLE = 84

/** The time line of a provider; `undefined` where nothing is cached. */
export function timelineOf(status: ProviderStatus, now: number): Timeline | undefined {
  const fetched = timeOf(status.lastRefresh)
  if (fetched === undefined) return undefined
  const expires = timeOf(status.expiresAt)
  if (expires === undefined)
    return { due: undefined, expiry: END, unusable: END, now: (START + END) / 2, isLimited: false }
  const unusableFrom = timeOf(status.staleUntil) ?? expires
  const marks: readonly Mark[] =
    unusableFrom > expires
      ? [
          { time: fetched, at: START },
          { time: expires, at: EXPIRY },
          { time: unusableFrom, at: UNUSABLE },
          { time: unusableFrom + (unusableFrom - fetched), at: END },
        ]
      : [
          { time: fetched, at: START },
          { time: expires, at: UNUSABLE },
          { time: expires + (expires - fetched), at: END },
        ]
  const due = timeOf(status.nextRefresh)
  return {
    due: due === undefined ? undefined : positionOf(due, marks),
    expiry: positionOf(expires, marks),
    unusable: UNUSABLE,
    now: positionOf(now, marks),
    isLimited: true,
  }
}

interface Mark {
  readonly time: number
  readonly at: number
}

/** Between two marks the line is to scale; beyond the last one, everything is at its end. */
function positionOf(time: number, marks: readonly Mark[]): number {
  let before: Mark | undefined
  for (const mark of marks) {
    if (time <= mark.time) {
      if (before === undefined) return mark.at
      const share = (time - before.time) / (mark.time - before.time)
      return Math.round((before.at + share * (mark.at - before.at)) * 100) / 100
    }
    before = mark
  }
  return END
}

function timeOf(iso: string | undefined): number | undefined {
  return iso === undefined ? undefined : Date.parse(iso)
}

/** The time line as a picture. The text beside it has the same times, so that assistive technology leaves it out. */
export function timelineSvg({ due, expiry, unusable, now, isLimited }: Timeline): Html {
  const nowAnchor = now < 10 ? 'start' : now > 90 ? 'end' : 'middle'
  return html`<svg class="line" width="100%" height="44" aria-hidden="true" focusable="false">
<rect class="track" x="${START}%" y="24" width="${END - START}%" height="8" rx="4"/>
<rect class="fresh" x="${START}%" y="24" width="${expiry - START}%" height="8"/>
<rect class="stale" x="${expiry}%" y="24" width="${unusable - expiry}%" height="8"/>
<rect class="stripes" x="${expiry}%" y="24" width="${unusable - expiry}%" height="8" fill="url(#stripes)"/>
<rect class="past" x="${START}%" y="22" width="${now - START}%" height="12"/>
${symbolAt(START, 'fetched')}
${due !== undefined && symbolAt(due, 'due')}
${isLimited && symbolAt(expiry, 'expiry')}
${isLimited && symbolAt(unusable, 'unusable')}
<line class="now" x1="${now}%" x2="${now}%" y1="14" y2="40"/>
<text class="now-text" x="${now}%" y="10" text-anchor="${nowAnchor}">now</text>
</svg>`
}

/** A mark of a time line. */
export type Moment = 'fetched' | 'due' | 'expiry' | 'unusable'

/** Each has a shape of its own. */
const shapes: Readonly<Record<Moment, Html>> = {
  fetched: html`<circle r="5"/>`,
  due: html`<path d="M0-6 6 0 0 6-6 0Z"/>`,
  expiry: html`<path d="M-2-8h4v16h-4z"/>`,
  unusable: html`<path d="m-6-4 2-2 4 4 4-4 2 2-4 4 4 4-2 2-4-4-4 4-2-2 4-4Z"/>`,
}

function symbolAt(position: number, moment: Moment): Html {
  return html`<svg class="mark ${moment}" x="${position}%" y="28" overflow="visible">${shapes[moment]}</svg>`
}

/** The shape of a mark, for the legend beside the times. */
export function momentIcon(moment: Moment): Html {
  return html`<svg class="mark ${moment}" width="16" height="16" viewBox="-8 -8 16 16" aria-hidden="true" focusable="false">${shapes[moment]}</svg>`
}
