import assert from 'node:assert/strict'
import { afterAll, beforeAll } from 'vitest'

/**
 * Test files of the quick set share processes. Each must leave them as it found them; one that cannot is recognised by
 * `vitest.config.ts` and gets a process of its own.
 */
let before: ReturnType<typeof stateOfProcess>

beforeAll(() => {
  before = stateOfProcess()
})

afterAll(() => {
  assert.deepEqual(stateOfProcess(), before, 'the test file changes the process for those after it')
})

function stateOfProcess() {
  const events = ['uncaughtException', 'unhandledRejection', 'warning', 'exit', 'SIGTERM'] as const
  return {
    directory: process.cwd(),
    environment: { ...process.env },
    listeners: events.map((event) => `${event}: ${process.listenerCount(event)}`),
    globals: [Promise, Date, setTimeout, setInterval, fetch, Buffer, URL].map((value) => identityOf(value)),
  }
}

const identities = new Map<object, number>()

/** A number for each object, so that a failure stays readable. */
function identityOf(value: object): number {
  const identity = identities.get(value) ?? identities.size
  identities.set(value, identity)
  return identity
}
