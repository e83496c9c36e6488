/** An API under drill. */
export interface Api {
  readonly url: string
  /** Sent with each request, such as the one that names the tenant. */
  readonly headers: Readonly<Record<string, string>>
}

/** The response to one request. */
export interface ApiResponse {
  /** `undefined` where there was none. */
  readonly status: number | undefined
  readonly hasRetryAfter: boolean
  /** Milliseconds. */
  readonly duration: number
}

/** Milliseconds for one response. */
const TIMEOUT = 15_000

/** Sends a request with a token; never rejects. */
export async function send({ url, headers }: Api, token: string): Promise<ApiResponse> {
  const start = performance.now()
  try {
    const response = await fetch(url, {
      headers: { ...headers, authorization: `Bearer ${token}` },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT),
    })
    await response.arrayBuffer()
    const hasRetryAfter = response.headers.has('retry-after')
    return { status: response.status, hasRetryAfter, duration: performance.now() - start }
  } catch {
    return { status: undefined, hasRetryAfter: false, duration: performance.now() - start }
  }
}

/** Sends one request for each token, some at a time; the responses in the order of the tokens. */
export async function sendAll(api: Api, tokens: readonly string[], atOnce: number): Promise<readonly ApiResponse[]> {
  const responses: ApiResponse[] = []
  for (let index = 0; index < tokens.length; index += atOnce) {
    const batch = tokens.slice(index, index + atOnce)
    responses.push(...(await Promise.all(batch.map((token) => send(api, token)))))
  }
  return responses
}

/** True for a request that the API has let in. */
export function isAccepted({ status }: ApiResponse): boolean {
  return status !== undefined && status >= 200 && status < 400
}

/** Resolves after some milliseconds. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
