import { type Html, html } from './html.ts'
import type { Condition } from './provider-list.ts'
import type { Level } from './verdict.ts'

/** Each state has a shape of its own, on a grid of 16. */
const shapes = {
  tick: html`<path d="M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm-1.2 11.6L3.3 8.1l1.3-1.3 2.2 2.2 4.6-4.6 1.3 1.3Z"/>`,
  half: html`<path d="M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm0 14V2a6 6 0 0 1 0 12Z"/>`,
  triangle: html`<path d="M8 .8 16 15H0ZM7.1 6v4.5h1.8V6Zm0 5.8v1.8h1.8v-1.8Z"/>`,
  cross: html`<path d="M4.7 0h6.6L16 4.7v6.6L11.3 16H4.7L0 11.3V4.7Zm.1 3.5L3.5 4.8 6.7 8l-3.2 3.2 1.3 1.3L8 9.3l3.2 3.2 1.3-1.3L9.3 8l3.2-3.2-1.3-1.3L8 6.7Z"/>`,
  ring: html`<path d="M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm0 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2Z"/>`,
  letter: html`<path d="M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0ZM7 3.4h2v2H7ZM7 7h2v5.6H7Z"/>`,
} as const

const shapeOf: Readonly<Record<Level | Condition, keyof typeof shapes>> = {
  ok: 'tick',
  fresh: 'tick',
  info: 'letter',
  stale: 'half',
  warning: 'triangle',
  failing: 'triangle',
  critical: 'cross',
  unavailable: 'cross',
  unused: 'ring',
}

/** The shape of a state. The text beside it says the same. */
export function icon(state: Level | Condition): Html {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">${shapes[shapeOf[state]]}</svg>`
}

const colors: Readonly<Record<Level, string>> = {
  ok: '#35a873',
  info: '#2f80d0',
  warning: '#e07a2c',
  critical: '#d33a45',
}

/** The picture of the page's tab, as a `data:` URL: a state can be seen from another tab. */
export function tabIcon(level: Level): string {
  const shape = shapes[shapeOf[level]].markup
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="${colors[level]}">${shape}</svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}
