import {
  type Auth,
  type Authenticator,
  getAuth,
  JWKS_AUTHENTICATOR,
  JwksAuthModule,
  RequireClaims,
  RequireScopes,
} from '@jwks-auth/nestjs'
import type { DynamicModule, INestApplication } from '@nestjs/common'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'

const issuer = 'https://issuer.example/'
const audience = 'https://api.example'

expectTypeOf(JwksAuthModule.forRoot({ issuer, audience })).toEqualTypeOf<DynamicModule>()
JwksAuthModule.forRoot({ issuer, audience, global: false, claims: z.object({ sub: z.string() }) })
JwksAuthModule.forRoot({ audience, tenants: { acme: { issuer } } })
JwksAuthModule.forRootAsync({ useFactory: () => ({ issuer, audience }) })
JwksAuthModule.forRootAsync({ inject: ['config'], useFactory: async (at: string) => ({ issuer: at, audience }) })

expectTypeOf(getAuth({})).toEqualTypeOf<Auth>()
export const authenticatorOf = (nest: INestApplication): Authenticator<unknown> => nest.get(JWKS_AUTHENTICATOR)

RequireClaims<{ readonly role: string }>(({ role }) => role === 'admin')

// @ts-expect-error: no audience
JwksAuthModule.forRoot({ issuer })
// @ts-expect-error: no such option
JwksAuthModule.forRoot({ issuer, audience, globals: false })
// @ts-expect-error: `global` is a switch
JwksAuthModule.forRoot({ issuer, audience, global: 'no' })
// @ts-expect-error: no factory
JwksAuthModule.forRootAsync({ inject: [] })
// @ts-expect-error: a factory without audience
JwksAuthModule.forRootAsync({ useFactory: () => ({ issuer }) })
// @ts-expect-error: scopes are strings
RequireScopes(7)
