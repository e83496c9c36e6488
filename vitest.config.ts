import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'

const packages = fileURLToPath(new URL('packages', import.meta.url))
const names = readdirSync(packages).join('|')

/** Tests with many processes of their own, which measure real time. */
const processTests = ['test/fleet/**/*.test.ts', 'packages/core/test/stores/file-store-processes.test.ts']

/** Tests that take their time, and are not about the version of Node. */
const longTests = ['packages/redis/test/**/*.test.ts', 'test/simulation/**/*.test.ts']

export default defineConfig({
  resolve: {
    // Tests run against the sources, so that a failing line is a line of `src` and coverage counts it.
    alias: [
      { find: new RegExp(`^@jwks-auth/(${names})$`), replacement: `${packages}/$1/src/index.ts` },
      { find: new RegExp(`^@jwks-auth/(${names})/([^/.]+)$`), replacement: `${packages}/$1/src/$2.ts` },
    ],
  },
  test: {
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
          // Packs and installs the packages: `npm run check:packages` runs it with a configuration of its own.
          exclude: [...configDefaults.exclude, ...longTests, ...processTests, 'test/packaging/**'],
        },
      },
      { extends: true, test: { name: 'long', include: [...longTests] } },
      {
        extends: true,
        // After the others, and one at a time: they start processes that would starve one another.
        test: {
          name: 'processes',
          include: [...processTests],
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
