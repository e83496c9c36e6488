import { openChannelConnection } from './channel-connection.ts'
import type { RedisKeys } from './keys.ts'
import type { RedisClient } from './redis-client.ts'
import { runScript } from './run-script.ts'
import { publish } from './scripts.ts'
import { freshIdentifier } from './snapshots.ts'

/** Milliseconds in which a connection has to be open and subscribed. */
const START_TIMEOUT = 5_000

/** Milliseconds between heartbeats. */
const HEARTBEAT_INTERVAL = 5_000

/** Milliseconds in which a heartbeat has to come back. */
const HEARTBEAT_TIMEOUT = 2_000

/** Heartbeats in a row that have to be lost before a connection counts as dead. */
const HEARTBEATS_LOST = 2

/** The longest pause between attempts to subscribe, in milliseconds. The first one is a tenth of a second. */
const LONGEST_PAUSE = 2_000

const HEARTBEAT = '{"kind":"heartbeat"}'

/** Receives what comes over a {@link openNoticeConnection}. */
export interface NoticeConnectionListener {
  /** A message came. */
  receive(message: unknown): void
  /** Messages no longer arrive. Called once per interruption. */
  interrupted(cause: Error): void
  /** Messages arrive again. */
  resumed(): void
}

/**
 * Subscribes to the channel of notices, and again whenever that fails: with a new connection each time, which has the
 * client's current credentials and topology. A heartbeat, which the client publishes to a channel of this process, shows
 * that messages arrive: a connection can die, or lead to a server that is no longer the one that commands go to, without
 * an error.
 *
 * @returns a function that ends it; nothing then keeps the process alive
 */
export function openNoticeConnection(
  client: RedisClient,
  keys: RedisKeys,
  listener: NoticeConnectionListener,
): () => void {
  const ownChannel = `${keys.channel}:${freshIdentifier()}`
  let endCurrent = (): void => undefined
  let isClosed = false
  let isInterrupted = false
  let failures = 0

  function attempt(): void {
    let isOver = false
    let lost = 0
    let timer = setTimeout(() => failed(new Error('the subscription took too long')), START_TIMEOUT).unref()
    let disconnect: (() => void) | undefined
    const later = (delay: number, callback: () => void): void => {
      clearTimeout(timer)
      timer = setTimeout(callback, delay).unref()
    }
    const end = (): void => {
      isOver = true
      clearTimeout(timer)
      callQuietly(disconnect)
    }

    function failed(cause: unknown): void {
      if (isOver) return
      end()
      failures += 1
      if (!isInterrupted) {
        isInterrupted = true
        listener.interrupted(withoutCommand(cause))
      }
      // A listener may have closed it.
      if (isClosed) return
      const retry = setTimeout(attempt, Math.min(100 * 2 ** (failures - 1), LONGEST_PAUSE)).unref()
      endCurrent = () => clearTimeout(retry)
    }

    /** Never rejects. */
    async function beat(): Promise<void> {
      later(HEARTBEAT_TIMEOUT, () => {
        lost += 1
        if (lost < HEARTBEATS_LOST) void beat()
        else failed(new Error('messages do not arrive'))
      })
      try {
        await runScript(client, publish, [keys.revocations], [ownChannel, HEARTBEAT])
      } catch {
        // The client is not connected, or may not publish. That shows nothing about the subscription, which counts as alive.
        alive()
      }
    }

    /** The subscription is alive, as far as is known. */
    function alive(): void {
      if (isOver) return
      lost = 0
      failures = 0
      later(HEARTBEAT_INTERVAL, () => void beat())
      if (!isInterrupted) return
      isInterrupted = false
      listener.resumed()
    }

    endCurrent = end
    try {
      disconnect = openChannelConnection(client, [keys.channel, ownChannel], {
        started: () => {
          if (!isOver) void beat()
        },
        receive: (message) => {
          if (isOver) return
          if (message === HEARTBEAT) alive()
          else listener.receive(message)
        },
        ended: failed,
      })
    } catch (error) {
      failed(error)
    }
    // It may have ended before there was anything to close.
    if (isOver) callQuietly(disconnect)
  }

  attempt()
  return () => {
    isClosed = true
    endCurrent()
  }
}

/** Errors of ioredis have the command with its arguments, such as a password. */
function withoutCommand(cause: unknown): Error {
  return new Error(cause instanceof Error ? cause.message : 'the connection for messages is closed')
}

/** Closing a connection that has already failed may throw. */
function callQuietly(close: (() => void) | undefined): void {
  try {
    close?.()
  } catch {
    // There is nothing left to close.
  }
}
