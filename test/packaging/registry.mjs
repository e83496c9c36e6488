/**
 * A registry for a rehearsal, on a free port of loopback: takes our packages from anyone, and passes requests for all
 * others on to the registry that npm uses here. Arguments: a folder, and the URL of that registry. Sends its port.
 */
import { join } from 'node:path'

// Resolved, not imported: its types do not compile, since they lack a dependency.
/** @type {{ runServer(config: object): Promise<import('node:http').Server> }} */
const { runServer } = await import(import.meta.resolve('verdaccio'))
const [folder = '', url = ''] = process.argv.slice(2)
const app = await runServer({
  configPath: join(folder, 'config.yaml'),
  storage: join(folder, 'storage'),
  web: { enable: false },
  auth: { htpasswd: { file: join(folder, 'htpasswd') } },
  uplinks: { npm: { url, maxage: '1h', timeout: '60s' } },
  packages: {
    // Without `proxy`: what others published under these names would not be seen.
    '@jwks-auth/*': { access: '$all', publish: '$all' },
    '**': { access: '$all', proxy: 'npm' },
  },
  log: { type: 'stdout', format: 'json', level: 'error' },
})
app.listen(0, '127.0.0.1', () => {
  const address = app.address()
  if (typeof address === 'object') process.send?.(address?.port)
})
// Ends with the rehearsal, whatever ends that.
process.once('disconnect', () => process.exit())
