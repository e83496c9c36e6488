import { defineConfig } from 'vitest/config'

/** The packages as a user gets them: packed, installed and loaded from tarballs, so nothing is aliased. */
export default defineConfig({
  test: {
    include: ['test/packaging/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 240_000,
  },
})
