// Saves without end, or as many times as it is told: a process of its own, for tests of several and of their deaths.
import { createHash } from 'node:crypto'
import { fileStore } from '../../dist/stores/file-store.js'

const [, , directory = '', writer = '', rounds = 'Infinity'] = process.argv
const store = fileStore({ directory })
/** From less than a page of the disk to many: some writes take long. */
const lengths = [10, 1_000, 30_000, 200_000]

for (let round = 0; round < Number(rounds); round += 1) {
  const payload = JSON.stringify({ text: `${writer} ${round} `.repeat((lengths[round % 4] ?? 0) / 10) })
  const integrity = `sha256:${createHash('sha256').update(payload).digest('base64url')}`
  const snapshot = /** @type {const} */ ({ version: 1, payload, keepUntil: null, integrity })
  await Promise.all([
    store.save({ tenant: 'acme', provider: `p${round % 3}` }, snapshot),
    store.save({ tenant: writer, provider: 'own' }, snapshot),
    store.revocations?.save(
      createHash('md5')
        .update(`${writer} ${round % 5}`)
        .digest('hex'),
      snapshot,
    ),
  ])
  if (round === 0) process.stdout.write('writing\n')
}
