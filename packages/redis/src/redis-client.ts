/**
 * What the store needs of a client: two commands, and a second connection for messages. `Redis` and `Cluster` of ioredis
 * and iovalkey are such clients; others need an object of a few lines, as the README shows. The store never closes the
 * client and changes nothing about it.
 */
export interface RedisClient {
  /** Sends `EVALSHA`; rejects with the server's error, `NOSCRIPT` among them. */
  evalsha(sha1: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
  /** Sends `EVAL`, where the server does not have the script. */
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
  /** As in ioredis: makes another connection to the same place, for messages. */
  duplicate?(...options: never[]): unknown
  /**
   * For other clients, instead of `duplicate`: opens a connection with the client's current credentials, subscribes to
   * the channels and returns a function that closes the connection. Called again after each `ended`, so that the
   * connection need not reconnect by itself. With neither method, no messages are received.
   */
  listen?(channels: string[], listener: ChannelListener): () => void
  /** True for ioredis' `Cluster`, whose `duplicate` takes its options second. */
  readonly isCluster?: boolean
  /** How the client was made. */
  readonly options?: {
    /** The prefix that the client puts before each key. Channels have none in ioredis: the store adds the same one. */
    readonly keyPrefix?: string | undefined
  }
}

/** Callbacks for one connection that {@link RedisClient.listen} opens. */
export interface ChannelListener {
  /** Call it once the server has confirmed the subscription. */
  started(): void
  /** Call it with each message. */
  receive(message: unknown): void
  /** Call it when the connection or the subscription failed, with the client's error. */
  ended(cause?: unknown): void
}
