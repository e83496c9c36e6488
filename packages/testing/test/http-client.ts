import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'

/** An answer as it came over the wire, nothing decoded. */
export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Whether the body ended as its framing said. */
  readonly complete: boolean
}

/** What is seen of an answer while it comes in. */
export interface Progress {
  status?: number
  received: number
  error?: NodeJS.ErrnoException
}

/** Fetches over a connection of its own, and keeps what `fetch` would hide: encodings and early ends. */
export function get(url: string, headers: OutgoingHttpHeaders = {}, method = 'GET'): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: false, headers, method }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', () => undefined)
      answer.on('close', () => {
        const { statusCode: status = 0, headers: received, complete } = answer
        resolve({ status, headers: received, body: Buffer.concat(chunks), complete })
      })
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

/** Starts a request and watches it for some milliseconds of real time, then lets go. */
export async function watch(url: string, milliseconds: number): Promise<Progress> {
  const progress: Progress = { received: 0 }
  const outgoing = request(url, { agent: false }, (answer) => {
    if (answer.statusCode !== undefined) progress.status = answer.statusCode
    answer.on('data', (chunk: Buffer) => {
      progress.received += chunk.length
    })
    answer.on('error', () => undefined)
  })
  outgoing.on('error', (error) => {
    progress.error = error
  })
  outgoing.end()
  await new Promise((resolve) => setTimeout(resolve, milliseconds))
  const seen = { ...progress }
  outgoing.destroy()
  return seen
}
