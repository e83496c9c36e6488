import { readdirSync, readFileSync } from 'node:fs'
import { posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('.', import.meta.url))
const packages = `${root}packages`
const names = readdirSync(packages).join('|')

/** Tests with many processes of their own or a browser, or which measure real time. */
const processTests = [
  'test/fleet/**/*.test.ts',
  'test/chaos/**/*.test.ts',
  'test/soak/**/*.test.ts',
  'test/runtimes/**/*.test.ts',
  'test/cli/drill.test.ts',
  'examples/observability/test/outage.test.ts',
  'test/status/page.test.ts',
  'packages/core/test/stores/file-store-processes.test.ts',
]

/** Tests that take long, in many short processes or in virtual time. */
const longTests = [
  'packages/redis/test/{cluster,faults,process-exit,sentinel}.test.ts',
  'packages/core/test/persistence/misbehaving-stores.test.ts',
  'test/contract/process-exit.test.ts',
  // Starting Postgres in WebAssembly takes seconds.
  'examples/fastify-multi-tenant/test/**/*.test.ts',
  'test/simulation/**/*.test.ts',
]

/** Packs and installs the packages: `npm run check:packages` runs it with a configuration of its own. */
const packagingTests = ['test/packaging/**']

const allTests = ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts', 'examples/*/test/**/*.test.ts']
const notQuick = [...configDefaults.exclude, ...processTests, ...longTests, ...packagingTests]

/**
 * Test files that mock modules, replace globals or measure the heap: each needs a process of its own. The others of the
 * quick set share processes, which saves the half of their time that goes into loading the same modules again.
 */
const isolated = ['packages', 'test', 'examples'].flatMap(testFilesIn).filter((path) => {
  const text = readFileSync(root + path, 'utf8')
  return /\bvi\.(?:doMock|mock|stubGlobal)\(|\bglobalThis\.\w+ = |\bsetFlagsFromString\(/.test(text)
})

function testFilesIn(folder: string): string[] {
  return readdirSync(root + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name).replaceAll(sep, '/')
    if (entry.isDirectory()) return ['node_modules', 'dist'].includes(entry.name) ? [] : testFilesIn(path)
    return entry.isFile() && entry.name.endsWith('.test.ts') ? [path] : []
  })
}

export default defineConfig({
  resolve: {
    // Tests run against the sources, so that a failing line is a line of `src` and coverage counts it.
    alias: [
      { find: new RegExp(`^@jwks-auth/(${names})$`), replacement: `${packages}/$1/src/index.ts` },
      { find: new RegExp(`^@jwks-auth/(${names})/([^/.]+)$`), replacement: `${packages}/$1/src/$2.ts` },
    ],
  },
  test: {
    // The default leaves a core free, which is half of a machine with two.
    maxWorkers: '100%',
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: [
      // `npm test` runs the projects `quick` and `quick-isolated`, `npm run test:all` all four.
      {
        extends: true,
        test: {
          name: 'quick',
          include: allTests,
          exclude: [...notQuick, ...isolated],
          isolate: false,
          setupFiles: ['test/setup/unchanged-process.ts'],
        },
      },
      { extends: true, test: { name: 'quick-isolated', include: isolated, exclude: notQuick } },
      { extends: true, test: { name: 'long', include: longTests } },
      {
        extends: true,
        // After the others, and one at a time: they start processes that would starve one another.
        test: {
          name: 'processes',
          include: processTests,
          fileParallelism: false,
          // They wait for leases, refresh periods and failovers by the clock on the wall.
          testTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**/*.ts'],
      reporter: ['text', 'html', 'json-summary'],
      reportsDirectory: 'coverage',
    },
  },
})
