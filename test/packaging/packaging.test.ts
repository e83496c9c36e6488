import { spawn } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { installPackages, packageNames, run, temporaryFolder, tool } from './projects.ts'
import { besideAnotherPackage, typedPrograms } from './typed-programs.ts'

const oldCompiler = fileURLToPath(import.meta.resolve('typescript-api/bin/tsc'))
/** The compilers that users have, each as a command and its arguments. */
const compilers: Readonly<Record<string, readonly [command: string, ...args: string[]]>> = {
  '5.9': [process.execPath, fileURLToPath(import.meta.resolve('typescript-5/bin/tsc'))],
  '6.0': [process.execPath, oldCompiler],
  '7.0': [tool('tsc')],
}

const release = inject('release')
let folder: string
let consumer: string

beforeAll(async () => {
  folder = await temporaryFolder()
  consumer = await installPackages(folder, release)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

function tarballOf(name: string): string {
  const found = release.packages.find((candidate) => candidate.name === name)
  if (!found) throw new Error(`${name} was not published`)
  return found.file
}

describe.each(packageNames)('%s', (name) => {
  it('holds its manifest, licence, sources and compiled code, and nothing else', async () => {
    const files = (await run(folder, 'tar', '-tzf', tarballOf(name))).trim().split('\n')
    expect(files).toEqual(
      expect.arrayContaining(
        ['package.json', 'LICENSE', 'README.md', 'dist/index.js', 'dist/index.d.ts', 'src/index.ts'].map(
          (file) => `package/${file}`,
        ),
      ),
    )
    const expected =
      /^package\/(?:package\.json|LICENSE|README\.md|CHANGELOG\.md|src\/.+\.ts|dist\/.+\.(?:js|d\.ts)(?:\.map)?)$/
    const others = name === '@jwks-auth/core' ? ['package/jwks-auth.openapi.yaml', 'package/load-undici.cjs'] : []
    expect(files.filter((file) => !expected.test(file)).toSorted()).toEqual(others)
  })

  it('depends on published versions only', async () => {
    expect(await run(folder, 'tar', '-xzOf', tarballOf(name), 'package/package.json')).not.toContain('workspace:')
  })

  it('satisfies publint', async () => {
    await expect(run(folder, tool('publint'), 'run', tarballOf(name), '--strict')).resolves.toContain('All good')
  })

  it('has types that resolve in every mode of an ESM-only package', async () => {
    // A document is no module.
    const flags = ['--profile', 'esm-only', '--exclude-entrypoints', 'jwks-auth.openapi.yaml']
    await expect(run(folder, tool('attw'), tarballOf(name), ...flags)).resolves.toContain('node16 (from ESM)')
  })

  it('is the same module to import and to require', async () => {
    const script = `
      import { createRequire } from 'node:module'
      const imported = await import('${name}')
      const required = createRequire(import.meta.url)('${name}')
      console.log(imported === required)`
    const flags = ['--no-warnings', '--input-type=module']
    expect(await run(consumer, process.execPath, ...flags, '--eval', script)).toBe('true\n')
  })
})

describe('the command line, installed from the registry', () => {
  const command = (...args: string[]) => run(consumer, join(consumer, 'node_modules/.bin/jwks-auth'), ...args)
  let issuer: TestIssuer

  beforeAll(async () => {
    issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'https://api.example.com' })
  })
  afterAll(() => issuer.close())

  it('says its version, and what it can do', async () => {
    expect(await command('--version')).toMatch(/^\d+\.\d+\.\d+/)
    expect(await command('--help')).toContain('doctor')
  })

  it('checks a provider, as JSON and for people', async () => {
    const output = await command('doctor', '--allow-http', '--json', issuer.issuer)
    // Progress on standard error comes after it.
    const { ok } = JSON.parse(output.slice(0, output.lastIndexOf('}') + 1)) as { ok: boolean }
    expect(ok).toBe(true)
    expect(await command('doctor', '--allow-http', issuer.jwksUri)).toContain('Nothing is wrong.')
    await expect(command('doctor', issuer.issuer)).rejects.toThrow('error http (issuer)')
  })

  it('explains a token by a JSON file and by an ES module, online and offline', async () => {
    const options = JSON.stringify({ issuer: issuer.issuer, audience: 'https://api.example.com', requireHttps: false })
    await writeFile(join(consumer, 'auth.json'), options)
    await writeFile(join(consumer, 'auth.mjs'), `export default ${options}`)
    await writeFile(join(consumer, 'keys.json'), JSON.stringify(issuer.jwks))
    await writeFile(join(consumer, 'token.txt'), await issuer.sign())
    const explain = (...args: string[]) =>
      run(consumer, 'sh', '-c', `node_modules/.bin/jwks-auth explain ${args.join(' ')} < token.txt`)
    expect(await explain('--config', 'auth.json')).toContain('The token is accepted.')
    expect(await explain('--config', 'auth.mjs', '--jwks', 'keys.json')).toContain('The token is accepted.')
    await writeFile(join(consumer, 'token.txt'), await issuer.sign({ aud: 'other' }))
    await expect(explain('--config', 'auth.json')).rejects.toThrow('ERR_AUDIENCE_NOT_ALLOWED')
  })

  it('drills an application', async () => {
    const options = "{ issuer: 'http://127.0.0.1:4181', audience: 'https://api.example.com', requireHttps: false }"
    const program = `
      import express from 'express'
      import { jwksAuth } from '@jwks-auth/express'
      const app = express()
      app.use(jwksAuth(${options}))
      app.get('/orders', (req, res) => { res.json([]) })
      app.listen(3181, '127.0.0.1')`
    await writeFile(join(consumer, 'api.mjs'), program)
    const api = spawn(process.execPath, ['api.mjs'], { cwd: consumer, stdio: 'ignore' })
    try {
      const url = 'http://127.0.0.1:3181/orders'
      const sizes = ['--port', '4181', '--outage', '1', '--flood', '20', '--algorithm', 'ES256']
      const output = await command('drill', '--url', url, '--audience', 'https://api.example.com', ...sizes)
      expect(output).toContain('Every phase passed.')
    } finally {
      api.kill()
    }
  })
})

describe('a consumer in TypeScript', () => {
  const options = {
    module: 'nodenext',
    target: 'es2023',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
  }

  beforeAll(async () => {
    const imports = packageNames.map((name, index) => `import * as package${index} from '${name}'`)
    const uses = packageNames.map((_, index) => `package${index}`)
    const program = `${imports.join('\n')}\nexport const packages: object[] = [${uses.join(', ')}]\n`
    await writeFile(join(consumer, 'esm.mts'), program)
    await writeFile(join(consumer, 'commonjs.cts'), program)
    const project = { compilerOptions: options, files: ['esm.mts', 'commonjs.cts'] }
    await writeFile(join(consumer, 'tsconfig.json'), JSON.stringify(project))
  })

  it('compiles as ESM and as CommonJS with the compiler that the packages are built with', async () => {
    await expect(run(consumer, tool('tsc'), '-p', '.')).resolves.toBe('')
  })

  it('compiles with the major version before', async () => {
    await expect(run(consumer, process.execPath, oldCompiler, '-p', '.')).resolves.toBe('')
  })

  it('compiles with the resolution that does not know exports', async () => {
    const folder = join(consumer, 'node10')
    await mkdir(folder, { recursive: true })
    const imports = packageNames.map((name, index) => `import * as package${index} from '${name}'`)
    const uses = packageNames.map((_, index) => `package${index}`)
    await writeFile(
      join(folder, 'index.ts'),
      `${imports.join('\n')}\nexport const all: object[] = [${uses.join(', ')}]\n`,
    )
    // Dependencies' types are out of our hands in this mode.
    const node10 = { module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0', skipLibCheck: true }
    const project = { compilerOptions: { ...options, ...node10 }, files: ['index.ts'] }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(project))
    await expect(run(folder, process.execPath, oldCompiler, '-p', '.')).resolves.toBe('')
  })

  it.each([
    ['adapter.mts', "import { frameworkRequest as used } from '@jwks-auth/core/adapter'"],
    ['core.mts', "import { createRegistry as used } from '@jwks-auth/core'"],
  ])('compiles %s by an entry point of core in a project that names no types', async (file, imported) => {
    await writeFile(join(consumer, file), `${imported}\nexport const name: string = used.name\n`)
    const flags = ['--noEmit', '--module', 'nodenext', '--target', 'es2023', '--ignoreConfig', file]
    await expect(run(consumer, tool('tsc'), ...flags)).resolves.toBe('')
  })

  it('does not compile if it uses what is not there', async () => {
    await writeFile(
      join(consumer, 'wrong.mts'),
      `import { nothingOfThisName } from '${packageNames[0]}'\nnothingOfThisName()\n`,
    )
    const flags = ['--noEmit', '--module', 'nodenext', '--target', 'es2023', '--ignoreConfig', 'wrong.mts']
    await expect(run(consumer, tool('tsc'), ...flags)).rejects.toThrow('nothingOfThisName')
  })
})

describe('typed claims', () => {
  const strict = { target: 'es2023', strict: true, exactOptionalPropertyTypes: true, noEmit: true, types: ['node'] }
  const modes = {
    node16: { module: 'node16' },
    nodenext: { module: 'nodenext' },
    bundler: { module: 'esnext', moduleResolution: 'bundler' },
  } as const
  const names = Object.keys(typedPrograms)

  beforeAll(async () => {
    for (const [name, program] of Object.entries(typedPrograms)) {
      await writeFile(join(consumer, `${name}.mts`), program)
      await writeFile(join(consumer, `${name}.cjs.ts`), program)
    }
  })

  /** Compiles these files as one program. */
  async function compile(version: string, compilerOptions: object, files: readonly string[]): Promise<string> {
    const [command, ...args] = compilers[version] ?? [tool('tsc')]
    const project = join(consumer, `tsconfig.${files.join('-')}.json`)
    await writeFile(project, JSON.stringify({ compilerOptions: { ...strict, ...compilerOptions }, files }))
    return await run(consumer, command, ...args, '-p', project)
  }

  /** Compiles all adapters together with their libraries checked, which takes most of the time, and what has to be alone. */
  async function compileAll(version: string, compilerOptions: object, extension: string): Promise<string> {
    const together = names.filter((name) => name !== besideAnotherPackage).map((name) => name + extension)
    const outputs = [
      compile(version, { ...compilerOptions, skipLibCheck: false }, together),
      compile(version, { ...compilerOptions, skipLibCheck: true }, [besideAnotherPackage + extension]),
    ]
    return (await Promise.all(outputs)).join('')
  }

  describe.each(Object.keys(compilers))('in TypeScript %s', (version) => {
    it.each(Object.entries(modes))('reach getAuth with %s, libraries checked', async (_, mode) => {
      await expect(compileAll(version, mode, '.mts')).resolves.toBe('')
    })

    it('reach getAuth in a CommonJS project, libraries checked', async () => {
      // TypeScript before 6 has no other resolution for these modules.
      const moduleResolution = version === '5.9' ? 'node10' : 'bundler'
      const options = { module: 'commonjs', moduleResolution, esModuleInterop: true }
      await expect(compileAll(version, options, '.cjs.ts')).resolves.toBe('')
    })
  })

  it('are refused where they are used as another type', async () => {
    const file = 'wrong-claims.mts'
    const program = (typedPrograms['express'] ?? '').replace('org.toFixed()', 'org.toUpperCase()')
    await writeFile(join(consumer, file), program)
    await expect(compile('7.0', { module: 'nodenext' }, [file])).rejects.toThrow('toUpperCase')
  })
})
