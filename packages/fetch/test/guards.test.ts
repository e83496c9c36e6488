import { getAuth, requireAnyScope, requireAuth, requireClaims, requireScopes } from '@jwks-auth/fetch'
import { describe, expect, it } from 'vitest'
import { useWorld } from './world.ts'

const world = useWorld()
const ok = (): Response => new Response('ok')

/** The scopes that the challenge of a refusal names. */
function scopesNamed({ status, headers }: Response): readonly [status: number, scopes: string | undefined] {
  return [status, /scope="([^"]*)"/.exec(headers.get('www-authenticate') ?? '')?.[1]]
}

describe('guards around one handler', () => {
  it('name the scopes of all in one challenge, whichever refuses', async () => {
    const auth = world.start()
    const inner = auth(requireScopes('a')(requireAnyScope('c', 'd')(requireScopes('e')(ok))))
    expect(scopesNamed(await inner(world.request()))).toEqual([403, 'a c d e'])
    const outer = auth(requireScopes('x')(requireScopes('a')(ok)))
    expect(scopesNamed(await outer(world.request()))).toEqual([403, 'x a'])
  })

  it('do not see those of another handler', async () => {
    const guard = requireScopes('c')
    guard(requireScopes('other')(ok))
    expect(scopesNamed(await world.start()(guard(ok))(world.request()))).toEqual([403, 'c'])
  })

  it('pass on what the framework passes', async () => {
    const handler = world.start()(
      requireAuth()((request, context: { id: string }) => new Response(context.id + getAuth(request).tenant)),
    )
    expect(await (await handler(world.request(), { id: '7' })).text()).toBe('7default')
  })
})

describe('a guard', () => {
  it('rejects with what its function throws', async () => {
    const broken = requireClaims(() => {
      throw new RangeError('broken')
    })
    await expect(world.start()(broken(ok))(world.request())).rejects.toThrow(new RangeError('broken'))
  })

  it('answers 500 outside of protect, and for a clone of the request', async () => {
    const auth = world.start()
    const guarded = requireScopes('a')(ok)
    expect((await requireScopes('a')(auth(ok))(world.request())).status).toBe(500)
    const cloning = auth((request) => guarded(request.clone()))
    expect((await cloning(world.request())).status).toBe(500)
  })
})
