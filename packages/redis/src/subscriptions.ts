import type { FleetNotice } from '@jwks-auth/core'
import { type MessageConnection, openMessageConnection } from './message-connection.ts'
import { decodeNotice } from './notices.ts'
import type { RedisClient } from './redis-client.ts'

type Listener = (notice: FleetNotice) => void

/** All listeners of one store share one connection, which is there as long as there is a listener. */
export function subscriptions(client: RedisClient, channel: string): { subscribe(listener: Listener): () => void } {
  const subscribers = new Set<{ readonly listener: Listener }>()
  let connection: MessageConnection | undefined

  const tell = (notice: FleetNotice | undefined): void => {
    if (notice === undefined) return
    for (const { listener } of [...subscribers]) {
      try {
        listener(notice)
      } catch {
        // One that throws must not cost the others their notice, nor the process its life.
      }
    }
  }

  return {
    subscribe(listener) {
      const subscriber = { listener }
      subscribers.add(subscriber)
      connection ??= openMessageConnection(client, channel, {
        receive: (message) => tell(decodeNotice(message)),
        resumed: () => tell({ kind: 'resumed' }),
      })
      return () => {
        if (!subscribers.delete(subscriber) || subscribers.size > 0) return
        connection?.close()
        connection = undefined
      }
    },
  }
}
