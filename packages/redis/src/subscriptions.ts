import type { FleetNotice } from '@jwks-auth/core'
import type { RedisKeys } from './keys.ts'
import { openNoticeConnection } from './notice-connection.ts'
import { decodeNotice } from './notices.ts'
import type { RedisClient } from './redis-client.ts'

type Listener = (notice: FleetNotice) => void
type Interruption = Extract<FleetNotice, { readonly kind: 'interrupted' }>

/** Creates `subscribe`. All listeners of one store share one connection, which is open as long as there is a listener. */
export function subscriptions(client: RedisClient, keys: RedisKeys): { subscribe(listener: Listener): () => void } {
  const subscribers = new Set<{ readonly listener: Listener }>()
  let close: (() => void) | undefined
  let interruption: Interruption | undefined

  const notify = (notice: FleetNotice | undefined): void => {
    if (notice === undefined) return
    for (const { listener } of [...subscribers]) call(listener, notice)
  }

  /** Called once the subscriber has its function to unsubscribe. */
  const open = (): void => {
    if (subscribers.size === 0 || close !== undefined) return
    close = openNoticeConnection(client, keys, {
      receive: (message) => notify(decodeNotice(message)),
      interrupted(cause) {
        interruption = { kind: 'interrupted', cause }
        notify(interruption)
      },
      resumed() {
        interruption = undefined
        notify({ kind: 'resumed' })
      },
    })
  }

  return {
    subscribe(listener) {
      const subscriber = { listener }
      subscribers.add(subscriber)
      const current = interruption
      queueMicrotask(() => {
        if (current !== undefined && current === interruption && subscribers.has(subscriber)) call(listener, current)
        open()
      })
      return () => {
        if (!subscribers.delete(subscriber) || subscribers.size > 0) return
        close?.()
        close = undefined
        interruption = undefined
      }
    },
  }
}

/** A listener that throws must not affect the others. */
function call(listener: Listener, notice: FleetNotice): void {
  try {
    listener(notice)
  } catch {
    // The registry's own listener does not throw.
  }
}
