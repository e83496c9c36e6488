import { tokenFromCookie, tokenFromHeader, tokenFromQuery } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askEverywhere, startEverywhere } from './frameworks.ts'
import type { ProtectedApp } from './protected-app.ts'
import type { RawRequest } from './raw-request.ts'
import { audience, createWorld, onLoopback, type World } from './world.ts'

describe('getToken', () => {
  let world: World
  let apps: readonly ProtectedApp[]
  let good: string

  beforeAll(async () => {
    world = await createWorld()
    good = await world.acme.sign()
    const getToken = [tokenFromHeader(), tokenFromCookie('session'), tokenFromQuery('token')]
    apps = await startEverywhere({ auth: { ...onLoopback, issuer: world.acme.issuer, audience, getToken } })
  })
  afterAll(async () => {
    await world.close()
  })

  async function answers(request: RawRequest): Promise<readonly unknown[]> {
    const asked = await askEverywhere(apps, request)
    return asked.map(({ answer }) => ({ status: answer.status, cache: answer.headers['cache-control'] }))
  }

  async function expectEverywhere(request: RawRequest, status: number, cache: string | undefined): Promise<void> {
    expect(await answers(request)).toEqual(apps.map(() => ({ status, cache })))
  }

  it('takes a token from the header, without Cache-Control in the response', async () => {
    await expectEverywhere({ headers: [['Authorization', `Bearer ${good}`]] }, 200, undefined)
  })

  it('takes a token from a cookie, with a private response', async () => {
    await expectEverywhere({ headers: [['Cookie', `theme=dark; session=${good}`]] }, 200, 'private')
  })

  it('takes a token from the query, with a private response', async () => {
    await expectEverywhere({ target: `/who?token=${good}` }, 200, 'private')
  })

  it('refuses a token in two places', async () => {
    const headers = [
      ['Authorization', `Bearer ${good}`],
      ['Cookie', `session=${good}`],
    ] as const
    await expectEverywhere({ headers }, 400, 'no-store')
  })

  it('does not count a cookie that another site had sent along', async () => {
    const headers = [
      ['Cookie', `session=${good}`],
      ['Sec-Fetch-Site', 'cross-site'],
    ] as const
    await expectEverywhere({ method: 'POST', headers }, 401, 'no-store')
  })
})
