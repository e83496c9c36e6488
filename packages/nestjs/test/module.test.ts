import {
  type Auth,
  type Authenticator,
  CurrentAuth,
  createRegistry,
  getAuth,
  JWKS_AUTHENTICATOR,
  JwksAuthGuard,
  JwksAuthModule,
  type JwksAuthModuleOptions,
  Public,
  RequestNotAuthenticatedException,
  RequireAnyScope,
  RequireAuth,
  RequireAuthentication,
  RequireClaims,
  RequireScopes,
} from '@jwks-auth/nestjs'
import { createTestIssuer, type TestIssuer, type TokenClaims } from '@jwks-auth/testing'
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Inject,
  Injectable,
  Module,
  Req,
  UseGuards,
} from '@nestjs/common'
import { APP_FILTER } from '@nestjs/core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createApp, listen, moduleOf, platforms, startApp } from './apps.ts'

const audience = 'https://api.example'
let issuer: TestIssuer
let dark: TestIssuer

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  dark = await createTestIssuer({ algorithm: 'ES256', audience })
  await dark.stop()
})

afterAll(async () => {
  await Promise.all([issuer.close(), dark.close()])
})

/** Options for the test's issuer. */
function options(more: object = {}): JwksAuthModuleOptions {
  return {
    issuer: issuer.issuer,
    audience,
    requireHttps: false,
    retryPolicy: { maxRetries: 0 },
    realm: 'nest',
    ...more,
  }
}

@Controller()
class Orders {
  @Get('who')
  who(@CurrentAuth() auth: Auth): object {
    return { sub: auth.claims.sub, tenant: auth.tenant }
  }

  @Get('perhaps')
  perhaps(@CurrentAuth({ optional: true }) auth: Auth | undefined): object {
    return { sub: auth?.claims.sub ?? null }
  }

  @Get('request')
  request(@Req() request: { auth?: Auth }): object {
    return { sub: request.auth?.claims.sub, same: request.auth === getAuth(request) }
  }

  @Public()
  @Get('health')
  health(@CurrentAuth({ optional: true }) auth: Auth | undefined): object {
    return { ok: true, authenticated: auth !== undefined }
  }

  @Public()
  @Get('mistake')
  mistake(@CurrentAuth() auth: Auth): object {
    return { sub: auth.claims.sub }
  }

  @RequireScopes('orders:read')
  @RequireScopes('orders:write')
  @Get('orders')
  orders(): string {
    return 'orders'
  }

  @RequireAnyScope('orders:read', 'orders:admin')
  @Get('any')
  any(): string {
    return 'any'
  }

  @RequireClaims({ role: 'admin' })
  @Get('admin')
  admin(): string {
    return 'admin'
  }

  @RequireClaims<{ readonly level?: unknown }>(({ level }) => level === 7)
  @Get('level')
  level(): string {
    return 'level'
  }

  @RequireClaims(() => {
    throw new Error('the predicate of the application failed')
  })
  @Get('failing')
  failing(): string {
    return 'failing'
  }

  @RequireAuth()
  @Get('authenticated')
  authenticated(): string {
    return 'authenticated'
  }

  @RequireAuthentication({ acrValues: 'gold' })
  @Get('gold')
  gold(): string {
    return 'gold'
  }
}

@RequireScopes('admin')
@Controller('admin')
class Admin {
  @Get('all')
  all(): string {
    return 'all'
  }

  @RequireScopes('admin:write')
  @Get('write')
  write(): string {
    return 'write'
  }

  @Public()
  @Get('health')
  health(): string {
    return 'ok'
  }
}

@Public()
@Controller('open')
class Open {
  @Get('all')
  all(): string {
    return 'all'
  }

  @RequireScopes('open:write')
  @Get('write')
  write(): string {
    return 'write'
  }
}

@Controller('sub')
@RequireScopes('sub')
class SubAdmin extends Admin {}

const controllers = [Orders, Admin, Open, SubAdmin]

describe.each(platforms)('JwksAuthModule on %s', (platform) => {
  it('lets a request with a good token pass and injects who is calling', async () => {
    const app = await startApp(platform, { imports: [JwksAuthModule.forRoot(options())], controllers })
    const token = await issuer.sign({ sub: 'user-1' })
    expect((await app.get('/who', token)).body).toEqual({ sub: 'user-1', tenant: 'default' })
    expect((await app.get('/perhaps', token)).body).toEqual({ sub: 'user-1' })
    expect((await app.get('/request', token)).body).toEqual({ sub: 'user-1', same: true })
  })

  it("sends status, body and headers of core's refusal through Nest's own exception filter", async () => {
    const app = await startApp(platform, { imports: [JwksAuthModule.forRoot(options())], controllers })
    const missing = await app.get('/who')
    expect(missing.status).toBe(401)
    expect(missing.body).toEqual({ error: 'unauthorized', error_description: 'A bearer token is required.' })
    expect(missing.headers.get('www-authenticate')).toBe('Bearer realm="nest"')
    expect(missing.headers.get('cache-control')).toBe('no-store')
    const expired = await app.get('/who', await issuer.sign({ exp: 1_000_000_000 }))
    expect(expired.status).toBe(401)
    expect(expired.body).toEqual({ error: 'invalid_token', error_description: 'The access token has expired.' })
    expect(expired.headers.get('www-authenticate')).toContain('error="invalid_token"')
    expect((await app.get('/who', 'a b')).status).toBe(400)
  })

  it('responds with 503 and Retry-After, and no challenge, while keys are unavailable', async () => {
    const module = JwksAuthModule.forRoot(options({ issuer: dark.issuer }))
    const app = await startApp(platform, { imports: [module], controllers })
    const { status, headers, body } = await app.get('/who', await dark.sign())
    expect(status).toBe(503)
    expect(body).toMatchObject({ error: 'temporarily_unavailable' })
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(headers.get('www-authenticate')).toBeNull()
  })

  it('reads no token of a public handler', async () => {
    const onRefused = vi.fn<() => void>()
    const module = JwksAuthModule.forRoot(options({ onRefused }))
    const app = await startApp(platform, { imports: [module], controllers })
    expect((await app.get('/health')).body).toEqual({ ok: true, authenticated: false })
    expect((await app.get('/health', 'bad')).status).toBe(200)
    expect((await app.get('/open/all', 'bad')).status).toBe(200)
    expect(onRefused).not.toHaveBeenCalled()
    expect((await app.get('/mistake')).status).toBe(500)
  })

  it('requires what handler and class require, and names all their scopes in one challenge', async () => {
    const app = await startApp(platform, { imports: [JwksAuthModule.forRoot(options())], controllers })
    const statusOf = async (path: string, claims: TokenClaims): Promise<number> =>
      (await app.get(path, await issuer.sign(claims))).status
    const scopesOf = async (path: string, scope: string): Promise<string | undefined> => {
      const { headers } = await app.get(path, await issuer.sign({ scope }))
      return /scope="([^"]*)"/.exec(headers.get('www-authenticate') ?? '')?.[1]
    }
    expect(await statusOf('/orders', { scope: 'orders:read orders:write' })).toBe(200)
    expect(await statusOf('/orders', { scope: 'orders:read' })).toBe(403)
    expect(await scopesOf('/orders', 'orders:read')).toBe('orders:read orders:write')
    expect(await scopesOf('/orders', 'other')).toBe('orders:read orders:write')
    expect(await statusOf('/any', { scope: 'orders:admin' })).toBe(200)
    expect(await statusOf('/any', { scope: 'other' })).toBe(403)
    expect(await statusOf('/admin/all', { scope: 'admin' })).toBe(200)
    expect(await statusOf('/admin/write', { scope: 'admin' })).toBe(403)
    expect(await statusOf('/admin/write', { scope: 'admin:write' })).toBe(403)
    expect(await scopesOf('/admin/write', 'other')).toBe('admin admin:write')
    expect((await app.get('/admin/health')).status).toBe(200)
    expect((await app.get('/open/write')).status).toBe(401)
    expect(await statusOf('/open/write', { scope: 'open:write' })).toBe(200)
    expect(await scopesOf('/sub/all', 'other')).toBe('sub admin')
  })

  it('checks claims and how the user authenticated', async () => {
    const app = await startApp(platform, { imports: [JwksAuthModule.forRoot(options())], controllers })
    expect((await app.get('/admin', await issuer.sign({ role: 'admin' }))).status).toBe(200)
    const refused = await app.get('/admin', await issuer.sign({ role: 'user' }))
    expect(refused.status).toBe(403)
    expect(refused.headers.get('www-authenticate')).not.toContain('scope=')
    expect((await app.get('/level', await issuer.sign({ level: 7 }))).status).toBe(200)
    expect((await app.get('/level', await issuer.sign({ level: 8 }))).status).toBe(403)
    expect((await app.get('/failing', await issuer.sign())).status).toBe(500)
    expect((await app.get('/gold', await issuer.sign({ acr: 'gold' }))).status).toBe(200)
    const weak = await app.get('/gold', await issuer.sign())
    expect(weak.status).toBe(401)
    expect(weak.headers.get('www-authenticate')).toContain('acr_values="gold"')
  })

  it('refuses a call without a token where one is needed, with credentialsRequired: false', async () => {
    const module = JwksAuthModule.forRoot(options({ credentialsRequired: false }))
    const app = await startApp(platform, { imports: [module], controllers })
    expect((await app.get('/perhaps')).body).toEqual({ sub: null })
    for (const path of ['/who', '/authenticated', '/orders']) {
      const { status, headers } = await app.get(path)
      expect(status, path).toBe(401)
      expect(headers.get('www-authenticate'), path).toBe('Bearer realm="nest"')
    }
    expect((await app.get('/perhaps', 'bad')).status).toBe(401)
  })

  it('guards only handlers that opt in, with global: false', async () => {
    @Controller()
    class Mixed {
      @Get('open')
      open(): string {
        return 'open'
      }

      @UseGuards(JwksAuthGuard)
      @Get('guarded')
      guarded(@CurrentAuth() auth: Auth): object {
        return { sub: auth.claims.sub }
      }

      @RequireScopes('a')
      @Get('scoped')
      scoped(): string {
        return 'scoped'
      }
    }
    // In a module of its own, which does not import JwksAuthModule.
    const feature = moduleOf({ controllers: [Mixed] })
    const module = JwksAuthModule.forRoot({ ...options(), global: false })
    const app = await startApp(platform, { imports: [module, feature] })
    expect((await app.get('/open')).status).toBe(200)
    expect((await app.get('/guarded')).status).toBe(401)
    expect((await app.get('/guarded', await issuer.sign({ sub: 'user-2' }))).body).toEqual({ sub: 'user-2' })
    expect((await app.get('/scoped')).status).toBe(401)
    expect((await app.get('/scoped', await issuer.sign({ scope: 'b' }))).status).toBe(403)
    expect((await app.get('/scoped', await issuer.sign({ scope: 'a' }))).status).toBe(200)
  })

  it('does not start where a handler requires a scope and no JwksAuthModule is imported', async () => {
    await expect(startApp(platform, { controllers })).rejects.toThrow(/JwksAuthGuard/)
  })

  it('authenticates once where the global guard and that of a decorator run', async () => {
    const isRevoked = vi.fn<() => boolean>(() => false)
    const app = await startApp(platform, { imports: [JwksAuthModule.forRoot(options({ isRevoked }))], controllers })
    expect((await app.get('/any', await issuer.sign({ scope: 'orders:read' }))).status).toBe(200)
    expect(isRevoked).toHaveBeenCalledTimes(1)
  })

  it('takes options from a factory with dependencies', async () => {
    @Injectable()
    class Config {
      readonly issuer = issuer.issuer
    }
    @Module({ providers: [Config], exports: [Config] })
    class ConfigModule {}
    const module = JwksAuthModule.forRootAsync({
      imports: [ConfigModule],
      inject: [Config],
      useFactory: async (config: Config) => options({ issuer: config.issuer }),
    })
    const app = await startApp(platform, { imports: [module], controllers })
    expect((await app.get('/who', await issuer.sign())).status).toBe(200)
    expect((await app.get('/who')).status).toBe(401)
  })

  it('does not guard every handler where forRootAsync gets global: false', async () => {
    const module = JwksAuthModule.forRootAsync({ global: false, useFactory: () => options() })
    const app = await startApp(platform, { imports: [module], controllers })
    expect((await app.get('/perhaps')).status).toBe(200)
    expect((await app.get('/orders')).status).toBe(401)
  })

  it.each([
    ['forRoot', () => JwksAuthModule.forRoot(options({ audiense: 'x' }))],
    ['forRootAsync', () => JwksAuthModule.forRootAsync({ useFactory: () => options({ audiense: 'x' }) })],
  ])('does not start with a wrong option of %s, and names it', async (_, module) => {
    await expect(startApp(platform, { imports: [module()] })).rejects.toThrow(/audiense/)
  })

  it('puts the result where the option property says, and sends the headers of a cookie token', async () => {
    @Controller()
    class Property {
      @Get('property')
      property(@Req() request: { user?: Auth; auth?: Auth }): object {
        return { user: request.user?.claims.sub, auth: request.auth ?? null }
      }
    }
    const { tokenFromQuery } = await import('@jwks-auth/nestjs')
    const module = JwksAuthModule.forRoot(options({ property: 'user', getToken: tokenFromQuery('t') }))
    const app = await startApp(platform, { imports: [module], controllers: [Property] })
    const { body, headers } = await app.get(`/property?t=${await issuer.sign({ sub: 'user-3' })}`)
    expect(body).toEqual({ user: 'user-3', auth: null })
    expect(headers.get('cache-control')).toBe('private')
  })

  it('hands a refusal to an exception filter of the application, with the specific error as its cause', async () => {
    const seen: unknown[] = []
    @Catch(RequestNotAuthenticatedException)
    class Filter implements ExceptionFilter<RequestNotAuthenticatedException> {
      catch(exception: RequestNotAuthenticatedException, host: ArgumentsHost): void {
        seen.push(exception)
        const response = host.switchToHttp().getResponse()
        response.status(exception.getStatus()).send({ code: exception.code, message: exception.message })
      }
    }
    const providers = [{ provide: APP_FILTER, useClass: Filter }]
    const app = await startApp(platform, { imports: [JwksAuthModule.forRoot(options())], controllers, providers })
    const { status, body, headers } = await app.get('/orders', await issuer.sign())
    expect(status).toBe(403)
    expect(headers.get('www-authenticate')).toContain('scope="orders:read orders:write"')
    expect(body).toEqual({
      code: 'insufficient_scope',
      message: 'The access token lacks a scope that this request requires.',
    })
    expect(seen[0]).toMatchObject({
      name: 'RequestNotAuthenticatedException',
      cause: { code: 'ERR_SCOPE_MISSING' },
      headers: { 'cache-control': 'no-store' },
    })
    await app.get('/who', await issuer.sign({}, { kid: 'unknown' }))
    expect(seen[1]).toMatchObject({ code: 'invalid_token', cause: { code: 'ERR_KEY_NOT_FOUND' } })
  })

  it("passes an error of the application's callback to Nest's error path, without its text", async () => {
    const validate = (): never => {
      throw new Error('secret of the application')
    }
    const app = await startApp(platform, { imports: [JwksAuthModule.forRoot(options({ validate }))], controllers })
    const { status, body } = await app.get('/who', await issuer.sign())
    expect(status).toBe(500)
    expect(JSON.stringify(body)).not.toContain('secret')
  })

  it('refuses two Authorization headers', async () => {
    const { sendRaw } = await import('../../../test/contract/raw-request.ts')
    const app = await startApp(platform, { imports: [JwksAuthModule.forRoot(options())], controllers })
    const authorization = ['authorization', `Bearer ${await issuer.sign()}`] as const
    const { status, body } = await sendRaw(app.port, { target: '/who', headers: [authorization, authorization] })
    expect(status).toBe(400)
    expect(JSON.parse(body)).toMatchObject({ error: 'invalid_request' })
  })

  it('provides the authenticator, and closes its registry with the application', async () => {
    @Injectable()
    class Service {
      readonly authenticator: Authenticator<unknown>
      constructor(@Inject(JWKS_AUTHENTICATOR) authenticator: Authenticator<unknown>) {
        this.authenticator = authenticator
      }
    }
    const nest = await createApp(platform, { imports: [JwksAuthModule.forRoot(options())], providers: [Service] })
    await listen(nest)
    const { authenticator } = nest.get(Service)
    expect(await authenticator.verify(await issuer.sign())).toMatchObject({ ok: true })
    await nest.close()
    expect(await authenticator.verify(await issuer.sign())).toMatchObject({
      ok: false,
      error: { code: 'ERR_REGISTRY_CLOSED' },
    })
  })

  it('leaves a registry open that was given in the options', async () => {
    const registry = createRegistry({ requireHttps: false })
    const auth = { issuer: issuer.issuer, audience, registry }
    const app = await startApp(platform, { imports: [JwksAuthModule.forRoot(auth)], controllers })
    expect((await app.get('/who', await issuer.sign())).status).toBe(200)
    await app.nest.close()
    expect(registry.statuses()).toHaveLength(1)
    await registry.register({ tenant: 'other', provider: 'default', issuer: issuer.issuer })
    await registry.close()
  })

  it('starts twice with the same module', async () => {
    const imports = [JwksAuthModule.forRoot(options())]
    const first = await startApp(platform, { imports, controllers })
    expect((await first.get('/who', await issuer.sign())).status).toBe(200)
    await first.nest.close()
    const second = await startApp(platform, { imports, controllers })
    expect((await second.get('/who', await issuer.sign())).status).toBe(200)
  })
})

describe('wrong use', () => {
  it('is refused where Public contradicts a requirement on the same handler or class', () => {
    const apply = (...decorators: readonly ((target: object) => void)[]) => {
      class Target {}
      for (const decorator of decorators) decorator(Target)
    }
    const scopes = RequireScopes('a')
    const open = Public()
    expect(() => apply(scopes, open)).toThrow(/Public contradicts/)
    expect(() => apply(open, scopes)).toThrow(/Public contradicts/)
  })

  it.each([
    ['no scope', () => RequireScopes()],
    ['a scope with a quotation mark', () => RequireAnyScope('a"b')],
    ['no claim', () => RequireClaims({})],
    ['an unknown requirement', () => RequireAuthentication({ acr: 'gold' } as never)],
  ])('is refused by a decorator: %s', (_, decorate) => {
    expect(decorate).toThrow(TypeError)
  })

  it('is refused by the module', async () => {
    expect(() => JwksAuthModule.forRoot({ ...options(), global: 'no' as never })).toThrow(/global/)
    expect(() => JwksAuthModule.forRootAsync({} as never)).toThrow(/useFactory/)
    const quiet = JwksAuthModule.forRoot(options({ passErrors: false }))
    await expect(createApp('Express', { imports: [quiet] })).rejects.toThrow(/passErrors/)
  })
})
