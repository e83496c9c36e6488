import { connect } from 'node:net'

/** A request that is written to the socket unchanged. */
export interface RawRequest {
  /** Default `GET`. */
  readonly method?: string
  /** The request target, in any form. Default `/who`. */
  readonly target?: string
  /** Default `api.example`. */
  readonly host?: string
  /** Further header lines, in order, repeated names and all; one character is one byte. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
}

/** A response. */
export interface RawAnswer {
  readonly status: number
  /** By lower-case name; lines of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The whole response as text. */
  readonly text: string
}

/** The headers that matter to a client's authentication. */
const relevantHeaders = ['content-type', 'cache-control', 'www-authenticate', 'retry-after', 'content-length'] as const

/** Returns the part of a response that must be the same in every framework. */
export function relevant({ status, headers, body }: RawAnswer): object {
  return { status, headers: Object.fromEntries(relevantHeaders.map((name) => [name, headers[name]])), body }
}

/** Sends a request, also one that `fetch` and `http.request` would refuse to send. */
export function sendRaw(port: number, request: RawRequest): Promise<RawAnswer> {
  const { method = 'GET', target = '/who', host = 'api.example', headers = [] } = request
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
  ]
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    })
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no response to ${method} ${target} within 10 s`)))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('end', () => {
      socket.destroy()
      resolve(readAnswer(Buffer.concat(chunks).toString('latin1')))
    })
  })
}

function readAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const [name = '', ...value] = line.split(':')
    const known = headers[name.toLowerCase()]
    const text = value.join(':').trim()
    headers[name.toLowerCase()] = known === undefined ? text : `${known}, ${text}`
  }
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(end + 4), text }
}
