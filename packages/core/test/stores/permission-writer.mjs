// Saves, loads and prints the outcome: run under Node's permission model.
import { fileStore } from '../../dist/stores/file-store.js'

const [, , directory = ''] = process.argv
const store = fileStore({ directory })
const key = { tenant: 'acme', provider: 'auth0' }
const snapshot = /** @type {const} */ ({ version: 1, payload: '"kept"', keepUntil: null, integrity: 'sha256:x' })

await store.save(key, snapshot)
await store.setAside?.(key)
await store.revocations?.save('0'.repeat(32), snapshot)
process.stdout.write(
  JSON.stringify({
    loaded: await store.load(key),
    revocations: await store.revocations?.load(),
    revision: typeof (await store.revocations?.revision()),
    warnings: await store.warnings?.(),
  }),
)
