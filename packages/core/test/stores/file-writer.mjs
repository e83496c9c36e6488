// Saves in a loop, for tests of several processes and of processes that are killed.
import { createHash } from 'node:crypto'
import { fileStore } from '../../dist/stores/file-store.js'

const [, , directory = '', writer = '', rounds = 'Infinity'] = process.argv
const store = fileStore({ directory })
/** From less than a page of the disk to many: some writes take long. Revocations may have 8 KiB. */
const lengths = [10, 1_000, 30_000, 200_000]

/** @param {string} text */
function snapshotOf(text) {
  const payload = JSON.stringify({ text })
  const integrity = `sha256:${createHash('sha256').update(payload).digest('base64url')}`
  return /** @type {const} */ ({ version: 1, payload, keepUntil: null, integrity })
}

for (let round = 0; round < Number(rounds); round += 1) {
  const snapshot = snapshotOf(`${writer} ${round} `.repeat((lengths[round % 4] ?? 0) / 10))
  const revocation = snapshotOf(`${writer} ${round} `.repeat(round % 2 === 0 ? 10 : 400))
  await Promise.all([
    store.save({ tenant: 'acme', provider: `p${round % 3}` }, snapshot),
    store.save({ tenant: writer, provider: 'own' }, snapshot),
    store.revocations?.save(
      createHash('md5')
        .update(`${writer} ${round % 5}`)
        .digest('hex'),
      revocation,
    ),
  ])
  // Copies and removals may be interrupted, too.
  await Promise.all([
    store.setAside?.({ tenant: writer, provider: 'own' }),
    store
      .save({ tenant: writer, provider: 'removed' }, snapshot)
      .then(() => store.delete({ tenant: writer, provider: 'removed' })),
  ])
  if (round === 0) process.stdout.write('writing\n')
}
