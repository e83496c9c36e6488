import type { Auth, Authenticator } from '@jwks-auth/core'

/** Closes a connection when its token expires, or when its key is withdrawn or revoked. */
export async function closeWhenInvalid(
  authenticator: Authenticator,
  auth: Auth,
  connection: { readonly signal: AbortSignal; close(): void },
): Promise<void> {
  try {
    await authenticator.untilInvalid(auth, { signal: connection.signal })
    connection.close()
  } catch (error) {
    // The connection was closed before: there is nothing left to do.
    if (!connection.signal.aborted) throw error
  }
}
