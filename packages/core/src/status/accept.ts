/**
 * True where a client prefers HTML to JSON (RFC 9110 §12.5.1): browsers name `text/html`. A client that accepts anything
 * gets JSON.
 */
export function prefersHtml(accept: string): boolean {
  const ranges = new Map(accept.split(',').map(readRange))
  const html = ranges.get('text/html') ?? 0
  const json = ranges.get('application/json') ?? ranges.get('application/*') ?? ranges.get('*/*') ?? 0
  return html > 0 && html >= json
}

function readRange(text: string): [type: string, quality: number] {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const weight = parameters.find((parameter) => parameter.startsWith('q='))
  const quality = weight === undefined ? 1 : Number(weight.slice(2))
  return [type, quality >= 0 && quality <= 1 ? quality : 0]
}
