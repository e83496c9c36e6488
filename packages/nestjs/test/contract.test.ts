import {
  type Auth,
  type Authenticator,
  CurrentAuth,
  JWKS_AUTHENTICATOR,
  JwksAuthModule,
  RequireScopes,
} from '@jwks-auth/nestjs'
import { Controller, Get } from '@nestjs/common'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sendRaw } from '../../../test/contract/raw-request.ts'
import { rows } from '../../../test/contract/refusals.ts'
import { contractOptions, createWorld, marker, type World } from '../../../test/contract/world.ts'
import { platforms, startApp } from './apps.ts'

let world: World

beforeAll(async () => {
  world = await createWorld()
})

afterAll(() => world.close())

@Controller()
class Orders {
  @Get('who')
  who(@CurrentAuth() auth: Auth): object {
    return { sub: auth.claims.sub }
  }

  @RequireScopes('orders:read', 'orders:write')
  @Get('orders')
  orders(): string {
    return 'orders'
  }
}

// No guard runs where there is no handler, and none without an authenticator.
const isWithoutHandler = /unknown path|OPTIONS|where no authenticator ran/
const contract = rows.filter(({ title }) => !isWithoutHandler.test(title))

describe.each(platforms)('a refusal on %s', (platform) => {
  it("has core's status, body and headers for each row of the contract, and nothing of the request", async () => {
    const module = JwksAuthModule.forRoot(contractOptions(world))
    const app = await startApp(platform, { imports: [module], controllers: [Orders] })
    const { registry } = app.nest.get<Authenticator<unknown>>(JWKS_AUTHENTICATOR)
    await registry.revokeKey('acme', 'default', 'acme-revoked')
    expect(contract.length).toBeGreaterThan(35)
    for (const { title, request, refusal } of contract) {
      const raw = await request(world)
      const { status, headers, body, text } = await sendRaw(app.port, raw)
      expect({ title, status, challenge: headers['www-authenticate'] }).toEqual({
        title,
        status: refusal.status,
        challenge: refusal.challenge,
      })
      const json = { error: refusal.error, error_description: refusal.description }
      expect(raw.method === 'HEAD' ? json : JSON.parse(body), title).toEqual(json)
      expect(headers['content-type'], title).toMatch(/^application\/json(?:; charset=utf-8)?$/)
      expect(headers['cache-control'], title).toBe('no-store')
      expect(headers['retry-after'] !== undefined, title).toBe(status === 503)
      expect(text, title).not.toContain(marker)
    }
  })
})
