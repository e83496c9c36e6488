import {
  type AuthState,
  getAuth,
  type JwksAuthMiddleware,
  jwksAuth,
  type MultiTenantOptions,
  requireAnyScope,
  tenantFromHost,
} from '@jwks-auth/koa'
import Router from '@koa/router'
import Koa from 'koa'

/** Acme has one provider, globex two: it moves from Okta to Entra ID. Names are lower case, as host names are. */
export const tenants: MultiTenantOptions['tenants'] = {
  acme: { issuer: 'https://acme.eu.auth0.com/', audience: 'https://api.example.com' },
  globex: {
    providers: {
      okta: { issuer: 'https://globex.okta.com/oauth2/default', audience: 'api://globex' },
      entra: {
        issuer: 'https://login.microsoftonline.com/8a2c7f9e-0f4b-4c53-9d0a-3f1f0d6f5b11/v2.0',
        audience: 'api://globex',
      },
    },
  },
}

/** An API with a host name for each tenant: `acme.api.example.com`. A token of another tenant is refused there. */
export function createApi(options: Partial<MultiTenantOptions> = {}): {
  app: Koa<AuthState>
  authenticate: JwksAuthMiddleware
} {
  const authenticate = jwksAuth({ tenant: tenantFromHost(':tenant.api.example.com'), tenants, ...options })

  const router = new Router<AuthState>()
  router.get('/whoami', (ctx) => {
    // The tenant that was checked, not the host name once more.
    const { tenant, provider, claims } = getAuth(ctx)
    ctx.body = { tenant, provider, subject: claims.sub }
  })
  router.get('/reports', requireAnyScope('reports:read', 'admin'), (ctx) => {
    ctx.body = { reports: [`sales of ${getAuth(ctx).tenant}`] }
  })

  const app = new Koa<AuthState>()
  // Behind a proxy that sets X-Forwarded-Host, and overwrites it where a client has sent it: `app.proxy = true`.
  app.use(authenticate)
  app.use(router.routes())
  return { app, authenticate }
}
