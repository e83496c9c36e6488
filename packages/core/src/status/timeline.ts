import type { ProviderStatus } from '../registry/status.ts'
import { type Html, html } from './html.ts'

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
