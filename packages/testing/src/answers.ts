import type { AnswerHeaders } from './document.ts'
import type { ReceivedRequest } from './request-log.ts'

/** What every answer can do. */
export interface TimedAnswer {
  /** How many milliseconds of real time pass before anything is sent. Default: 0. */
  readonly delay?: number
}

/** What every answer with a header section can do. */
export interface HeadedAnswer extends TimedAnswer {
  /** Header fields for this answer, over the usual ones; `undefined` leaves one out. Default: none. */
  readonly headers?: AnswerHeaders
}

/** The document itself, or a 304 to a client that has it. */
export interface NormalAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'normal'
}

/** Any status, header and body, such as a 503 with `Retry-After`. */
export interface ReplyAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'reply'
  /** The status, 200 to 599. Default: 200. */
  readonly status?: number
  /** The body, sent as it is. Default: empty. */
  readonly body?: string | Uint8Array
}

/** Somewhere else. */
export interface RedirectAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'redirect'
  /** The `Location` field, sent as it is. */
  readonly location: string
  /** 301, 302, 303, 307 or 308. Default: 302. */
  readonly status?: number
}

/** A web page with status 200, as from a captive portal or a misconfigured proxy. */
export interface GarbageAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'garbage'
}

/** Nothing: the request is accepted and never answered. */
export interface HangAnswer {
  /** Which answer this is. */
  readonly kind: 'hang'
}

/** The header section, and then nothing more. */
export interface HangAfterHeadersAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'hang-after-headers'
}

/** The document's first bytes, and then nothing more on a connection that stays open. */
export interface StalledBodyAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'stalled-body'
  /** How many bytes are sent. Default: half of the document. */
  readonly bytes?: number
}

/** The document, a little at a time. */
export interface SlowBodyAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'slow-body'
  /** Milliseconds of real time between two pieces. Default: 10. */
  readonly interval?: number
  /** Bytes in a piece. Default: 1. */
  readonly bytes?: number
}

/** Less than `Content-Length` promised; the connection then closes. */
export interface TruncatedBodyAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'truncated-body'
  /** How many bytes are sent. Default: half of the document. */
  readonly bytes?: number
}

/** The document, valid still, with spaces after it up to a size. */
export interface OversizedBodyAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'oversized-body'
  /** The size of the body. Smaller than the document counts as the document's own size. */
  readonly bytes: number
  /** Whether the size is announced or only found out. Default: `'content-length'`. */
  readonly framing?: 'content-length' | 'chunked'
}

/** The document compressed, whether or not the request accepts that. */
export interface GzipAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'gzip'
}

/** A well-framed answer whose gzip stream ends early. */
export interface TruncatedGzipAnswer extends HeadedAnswer {
  /** Which answer this is. */
  readonly kind: 'truncated-gzip'
  /** How many bytes of the compressed document are sent. Default: half of them. */
  readonly bytes?: number
}

/** The connection is reset (TCP RST) instead of an answer. */
export interface ResetAnswer extends TimedAnswer {
  /** Which answer this is. */
  readonly kind: 'reset'
}

/** The connection is closed in good order (TCP FIN) instead of an answer. */
export interface CloseAnswer extends TimedAnswer {
  /** Which answer this is. */
  readonly kind: 'close'
}

/** What an issuer does with a request. */
export type Answer =
  | NormalAnswer
  | ReplyAnswer
  | RedirectAnswer
  | GarbageAnswer
  | HangAnswer
  | HangAfterHeadersAnswer
  | StalledBodyAnswer
  | SlowBodyAnswer
  | TruncatedBodyAnswer
  | OversizedBodyAnswer
  | GzipAnswer
  | TruncatedGzipAnswer
  | ResetAnswer
  | CloseAnswer

/** Decides by the request; a promise holds the request until it is settled. Should it throw, status 500 is sent. */
export type AnswerFunction = (request: ReceivedRequest) => Answer | Promise<Answer>
