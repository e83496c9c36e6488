import { createServer } from 'node:http'
import Koa from 'koa'
import mount from 'koa-mount'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRegistry, createStatusHandler } from '../src/index.ts'

describe('createStatusHandler', () => {
  it('leaves paths outside of its mount to other middlewares, and gives authorize the context', async () => {
    const registry = createRegistry()
    onTestFinished(() => registry.close())
    const app = new Koa()
    app.use(async (ctx, next) => {
      ctx.state['operator'] = ctx.get('x-operator') === 'yes'
      await next()
    })
    app.use(mount('/status', createStatusHandler(registry, { authorize: (ctx) => ctx.state['operator'] === true })))
    app.use((ctx) => {
      ctx.body = 'the application'
    })
    const callback = app.callback()
    const server = createServer((req, res) => void callback(req, res))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
    expect(await (await fetch(`${origin}/providers`)).text()).toBe('the application')
    expect((await fetch(`${origin}/status/providers`)).status).toBe(403)
    const response = await fetch(`${origin}/status/providers`, { headers: { 'x-operator': 'yes' } })
    expect(await response.json()).toMatchObject({ total: 0, providers: [] })
  })
})
