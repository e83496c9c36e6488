/** Ten million authentications in one process, with a million distinct tokens or ten: does anything of them stay? */
import { setImmediate as macrotask } from 'node:timers/promises'
import * as format from '../harness/format.mjs'
import { bytesInUse } from '../harness/heap.mjs'
import { createAuthenticator, optionsFor, requestWith } from '../harness/ours.mjs'
import { createQuickSigner } from '../harness/quick-signer.mjs'
import { median } from '../harness/statistics.mjs'
import { startIssuer } from '../harness/tokens.mjs'

/** So many clients at a time, each with a token of its own. */
const clients = 32
const samples = 20
/** How much the heap may grow over the second half, as a share. */
const flat = 0.02

/** @param {import('../harness/result.mjs').Context} context @returns {Promise<import('../harness/result.mjs').Result>} */
export async function run({ quick, allDistinct, log }) {
  const usesOfEach = allDistinct ? 1 : 10
  const authentications = quick ? 200_000 : 10_000_000
  const tokens = authentications / usesOfEach
  const { heap, checked } = await live(tokens, usesOfEach, log)
  const half = Math.floor(heap.length / 2)
  const [middle, end] = [median(heap.slice(half - 2, half + 1)), median(heap.slice(-3))]
  const growth = end / middle - 1
  const each = ((end - middle) / (tokens / 2)).toFixed(2)
  return {
    title: 'A long life',
    text: [
      `${format.number(authentications)} authentications, with ${format.number(tokens)} distinct tokens (ES256): each is ` +
        `brought ${allDistinct ? 'once' : `${usesOfEach} times, each time as a new string`}, and never again. The cache of ` +
        'verified tokens has its default bounds and holds ten thousand of them. Bytes are what is in use after a full collection, buffers outside ' +
        'of the heap included.',
    ],
    tables: [
      {
        title: 'A long life',
        head: ['authentications', 'in use'],
        rows: heap
          .map((bytes, index) => [format.number(((index + 1) * authentications) / samples), format.bytes(bytes)])
          .filter((_, index) => index % 2 === 1 || index === 0),
      },
    ],
    targets: [
      {
        what: `the heap over ${format.number(authentications)} authentications`,
        target: 'flat',
        measured: `${growth < 0 ? '−' : '+'}${format.percent(Math.abs(growth))} from halfway to the end`,
        limit: `${format.number(checked)} signature checks among them; ${each} B for each token of the second half`,
        met: growth <= flat,
      },
    ],
  }
}

/** @param {number} tokens @param {number} usesOfEach @param {(line: string) => void} log */
async function live(tokens, usesOfEach, log) {
  const issuer = await startIssuer({ algorithm: 'ES256', cacheControl: 'max-age=3600' })
  const sign = createQuickSigner(issuer)
  const authenticator = createAuthenticator(optionsFor(issuer))
  /** @type {number[]} */
  const heap = []
  let next = 0
  let checked = 0

  async function client(/** @type {number} */ end) {
    while (next < end) {
      const header = Buffer.from(`Bearer ${sign(next)}`, 'latin1')
      next += 1
      for (let use = 0; use < usesOfEach; use += 1) {
        const outcome = authenticator.authenticate(requestWith(header.toString('latin1')))
        if (outcome instanceof Promise) checked += 1
        const { ok } = outcome instanceof Promise ? await outcome : outcome
        if (!ok) throw new Error('a good token was refused')
      }
      if (next % 1_000 === 0) await macrotask()
    }
  }

  for (let sample = 1; sample <= samples; sample += 1) {
    const end = (tokens * sample) / samples
    await Promise.all(Array.from({ length: clients }, () => client(end)))
    heap.push(await bytesInUse())
    if (sample % 5 === 0 || usesOfEach === 1)
      log(`${format.number(next)} tokens: ${format.bytes(heap.at(-1) ?? 0)} in use`)
  }
  await Promise.all([authenticator.close(), issuer.close()])
  return { heap, checked }
}
