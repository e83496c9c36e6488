import { LRUCache } from 'lru-cache'
import type { KnownHeaders, ParsedToken, TokenHeader } from './parse-token.ts'
import { nestedNames } from './plain-data.ts'

/** More than an issuer has keys at a time, for many issuers. */
const MAX_HEADERS = 1_000

/** Headers of verified tokens, so that those of forged ones take nobody's place. */
export interface LearnedHeaders extends KnownHeaders {
  /** Remembers the header of a token that was verified. */
  learn(token: ParsedToken): void
}

/** None, to begin with. */
export function createLearnedHeaders(): LearnedHeaders {
  const headers = new LRUCache<string, TokenHeader>({ max: MAX_HEADERS })
  // Most often it is the one of the token before, and comparing costs a tenth of looking up. It keeps one token in memory.
  let latestPart: string | undefined
  let latest: TokenHeader | undefined
  return {
    get(part) {
      if (part === latestPart) return latest
      const known = headers.get(part)
      if (known !== undefined) {
        latestPart = part
        latest = known
      }
      return known
    },
    learn({ token, header }) {
      if (header === latest) return
      const part = token.slice(0, token.indexOf('.'))
      // Requests get shallow copies, which are whole ones only of flat headers.
      if (headers.has(part) || nestedNames(header).length > 0) return
      // A string that was cut out of the token would keep all of that in memory.
      headers.set(Buffer.from(part, 'latin1').toString('latin1'), header)
    },
  }
}
