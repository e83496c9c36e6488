import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'

const packages = fileURLToPath(new URL('packages', import.meta.url))
const names = readdirSync(packages).join('|')

export default defineConfig({
  resolve: {
    // Tests run against the sources, so that a failing line is a line of `src` and coverage counts it.
    alias: [
      { find: new RegExp(`^@jwks-auth/(${names})$`), replacement: `${packages}/$1/src/index.ts` },
      { find: new RegExp(`^@jwks-auth/(${names})/([^/.]+)$`), replacement: `${packages}/$1/src/$2.ts` },
    ],
  },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
    // Packs and installs the packages: `npm run check:packages` runs it with a configuration of its own.
    exclude: [...configDefaults.exclude, 'test/packaging/**'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**/*.ts'],
      reporter: ['text', 'html', 'json-summary'],
      reportsDirectory: 'coverage',
    },
  },
})
