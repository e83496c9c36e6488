/**
 * What the store asks of a client: two commands, and where it can, a connection of its own for messages. `Redis` and
 * `Cluster` of ioredis 5 and 6 are such clients; so is anything else that sends these two commands and gives strings
 * back as strings. The store never closes the client and changes nothing about it.
 */
export interface RedisClient {
  /** Sends `EVALSHA`; rejects with the server's error, `NOSCRIPT` among them. */
  evalsha(sha1: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
  /** Sends `EVAL`, where the server does not have the script. */
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
  /** Makes another connection to the same place, for messages. Without it, none are received. */
  duplicate?(...options: never[]): unknown
  /** True for ioredis' `Cluster`, whose `duplicate` takes its options second. */
  readonly isCluster?: boolean
  /** How the client was made. */
  readonly options?: {
    /** What the client puts before each key. Channels have no prefix in ioredis: the store gives them the same one. */
    readonly keyPrefix?: string | undefined
  }
}
