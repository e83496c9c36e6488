import { afterAll } from 'vitest'
import { expressFive, expressFour } from './express-app.ts'
import { fastifyFive } from './fastify-app.ts'
import { honoFour } from './hono-app.ts'
import { koaThree, koaTwo } from './koa-app.ts'
import type { AppOptions, Framework, ProtectedApp } from './protected-app.ts'
import { type RawAnswer, type RawRequest, sendRaw } from './raw-request.ts'

/** Every framework version that the adapters support. */
export const frameworks: readonly Framework[] = [expressFour, expressFive, koaTwo, koaThree, fastifyFive, honoFour]

const open: ProtectedApp[] = []

afterAll(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()))
})

/** Starts the same API in every framework; closed after the tests of the file. */
export async function startEverywhere(options: AppOptions): Promise<readonly ProtectedApp[]> {
  const apps = await Promise.all(frameworks.map((framework) => framework.start(options)))
  open.push(...apps)
  return apps
}

/** True for a framework of fetch requests. */
export function usesFetch(framework: string): boolean {
  return frameworks.some((known) => known.name === framework && known.usesFetch === true)
}

/** Returns the API of one framework. */
export function appOf(apps: readonly ProtectedApp[], framework: string): ProtectedApp {
  const found = apps.find((app) => app.framework === framework)
  if (found === undefined) throw new Error(`${framework} was not started`)
  return found
}

/** Sends one request to every framework, and returns each response. */
export async function askEverywhere(
  apps: readonly ProtectedApp[],
  request: RawRequest,
): Promise<readonly { readonly framework: string; readonly answer: RawAnswer }[]> {
  return await Promise.all(
    apps.map(async (app) => ({ framework: app.framework, answer: await sendRaw(app.port, request) })),
  )
}
