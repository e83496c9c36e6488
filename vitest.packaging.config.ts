import { defineConfig } from 'vitest/config'

/** The packages as a user gets them: published to a registry on loopback and installed from it, so nothing is aliased. */
export default defineConfig({
  test: {
    include: ['test/packaging/**/*.test.ts'],
    globalSetup: ['test/packaging/rehearsal.ts'],
    testTimeout: 60_000,
    hookTimeout: 240_000,
  },
})
