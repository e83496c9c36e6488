import type { Cast } from './scenario.ts'
import type { Style } from './style.ts'

/** Lines for a shell with which to go on by hand. */
export async function renderCurl({ acme, globex, apis }: Cast, style: Style): Promise<string> {
  const [acmeToken, globexToken] = await Promise.all([acme.getToken('read'), globex.getToken('read')])
  const get = (url: string | undefined, tenant: string, token: string): string =>
    `curl -i -H 'x-tenant-id: ${tenant}' -H "authorization: Bearer $${token}" ${url}`
  const [first, second, third] = apis.map(({ url }) => url)
  return [
    style.bold('To go on by hand, paste these (tokens last an hour):'),
    '',
    `ACME=${acmeToken}`,
    `GLOBEX=${globexToken}`,
    '',
    get(`${first}/whoami`, 'acme', 'ACME'),
    get(`${second}/whoami`, 'globex', 'GLOBEX'),
    get(`${third}/whoami`, 'acme', 'GLOBEX'),
    get(`${first}/admin`, 'acme', 'ACME'),
    '',
    style.dim('# another token, with another scope'),
    `curl -u ${acme.client.id}:${acme.client.secret} -d grant_type=client_credentials -d scope='read admin' ${acme.issuer}/token`,
  ].join('\n')
}
