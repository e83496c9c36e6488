/**
 * Applications in a process of their own, each with a port: `server.mjs '{"issuer": …}' express 'jose, remote set'`. Tells
 * what it costs: CPU time, and how late the event loop was.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { answerCalls } from '../harness/calls.mjs'

const [setting = '{}', framework = '', ...protections] = process.argv.slice(2)

/** @type {import('../harness/apps.mjs').Application} */
const application = await import(new URL(`../apps/${framework}.mjs`, import.meta.url).href)
/** @type {number[]} */
const ports = []
for (const protection of protections) {
  const protect = application.protections[protection]
  if (protect === undefined) throw new Error(`no ${protection} in ${framework}`)
  ports.push(await application.listen(protect, JSON.parse(setting)))
}

const delay = monitorEventLoopDelay({ resolution: 1 })
let began = { cpu: process.cpuUsage(), time: performance.now() }

answerCalls({
  ports: () => ports,
  /** Begins to count. */
  begin() {
    delay.reset()
    delay.enable()
    began = { cpu: process.cpuUsage(), time: performance.now() }
  },
  /** What it took since then: CPU of all threads in milliseconds, and the delays of the event loop. */
  end() {
    delay.disable()
    const { user, system } = process.cpuUsage(began.cpu)
    return {
      cpu: (user + system) / 1000,
      wall: performance.now() - began.time,
      delay: { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
    }
  },
})
