/** Markup in which every text was escaped when it was put in. */
export class Html {
  readonly markup: string

  constructor(markup: string) {
    this.markup = markup
  }
}

/** What may stand in a template: text and numbers are escaped, markup is not; `undefined` and `false` are left out. */
export type HtmlValue = string | number | Html | undefined | false | readonly HtmlValue[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Control characters, line separators, and what changes the direction of text (Unicode TR 36 §2.5): shown as U+FFFD. */
const INVISIBLE = /(?![\t\n])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/** Makes markup of a template. Attributes must be quoted: then a value can leave neither an attribute nor a text. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(strings.map((text, index) => text + markupOf(values[index])).join(''))
}

/** Markup of this package, used as it is. Never for a text from elsewhere. */
export function trusted(markup: string): Html {
  return new Html(markup)
}

function markupOf(value: HtmlValue): string {
  if (value === undefined || value === false) return ''
  if (value instanceof Html) return value.markup
  if (typeof value === 'object') return value.map(markupOf).join('')
  return escapeText(String(value))
}

function escapeText(text: string): string {
  return text.replace(INVISIBLE, '\ufffd').replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
