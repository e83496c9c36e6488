import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as core from '@jwks-auth/core'
import * as adapter from '@jwks-auth/core/adapter'
import * as express from '@jwks-auth/express'
import * as fastify from '@jwks-auth/fastify'
import * as fetchHandlers from '@jwks-auth/fetch'
import * as koa from '@jwks-auth/koa'
import * as mcp from '@jwks-auth/mcp'
import * as nestjs from '@jwks-auth/nestjs'
import { describe, expect, it } from 'vitest'

const packages = fileURLToPath(new URL('../../packages/', import.meta.url))

const adapters = { express, koa, fastify, fetch: fetchHandlers, nestjs, mcp }
describe.each(Object.entries(adapters))('@jwks-auth/%s', (_, exported: object) => {
  it('exports everything of core, so that an application needs one import', () => {
    const names = Object.keys(core)
    expect(names.filter((name) => name.endsWith('Error')).length).toBeGreaterThan(30)
    for (const [name, value] of Object.entries(core)) expect(Reflect.get(exported, name), name).toBe(value)
  })

  it('exports the same names of its own as the other adapters', () => {
    const own = Object.keys(exported).filter((name) => !(name in core))
    const guards = ['requireAnyScope', 'requireAuth', 'requireAuthentication', 'requireClaims', 'requireScopes']
    const common = ['createStatusHandler', 'getAuth', 'jwksAuth', 'protectedResource', ...guards]
    const decorators = ['Public', 'CurrentAuth', ...guards.map((guard) => guard.replace(/^r/, 'R'))]
    const module = ['JWKS_AUTHENTICATOR', 'JwksAuthGuard', 'JwksAuthModule', 'RequestNotAuthenticatedException']
    const names = new Map<object, readonly string[]>([
      [fastify, ['authenticate', 'authenticateAs', ...common]],
      [fetchHandlers, ['getAuth', 'protect', ...guards]],
      // Decorators are guards there, and a module is what `jwksAuth` is elsewhere.
      [nestjs, ['createStatusHandler', 'getAuth', ...decorators, ...module]],
      // Its guard and its metadata are members of what this returns.
      [mcp, ['createMcpAuth']],
    ])
    expect(own.toSorted()).toEqual([...(names.get(exported) ?? common)].toSorted())
  })

  it('exports nothing of @jwks-auth/core/adapter', () => {
    expect(Object.keys(adapter).filter((name) => name in exported)).toEqual([])
  })
})

describe('@jwks-auth/core', () => {
  it('keeps what only adapters need in an entry point of its own', () => {
    expect(Object.keys(adapter).filter((name) => name in core)).toEqual([])
  })
})

describe.each(readdirSync(packages))('the manifest of %s', (name) => {
  const manifest = JSON.parse(readFileSync(`${packages}${name}/package.json`, 'utf8')) as Record<string, unknown>
  const entry = (manifest['exports'] as Record<string, unknown>)['.']

  it('has main and types beside exports, for resolution without exports', () => {
    const { main, types } = manifest
    expect({ types, default: main }).toEqual(entry)
  })

  it('says where the package comes from', () => {
    expect(manifest).toMatchObject({
      homepage: expect.stringContaining(name),
      bugs: expect.stringMatching(/^https:/),
      repository: { type: 'git', directory: `packages/${name}` },
      keywords: expect.arrayContaining(['jwks', 'jwt']),
    })
  })

  it('depends on ranges that take patches', () => {
    const ranges = Object.values((manifest['dependencies'] ?? {}) as Record<string, string>)
    expect(ranges.filter((range) => !/^(?:workspace:)?\^/.test(range))).toEqual([])
  })
})
