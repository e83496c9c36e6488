import { isBuiltin } from 'node:module'
import { importsOf, packageName, packageOf, packageSources, type SourceFile } from './source-file.ts'

const ours = '@jwks-auth/'
const frameworks = new Set(['express', 'koa', 'fastify', 'fastify-plugin'])

/** What a package may import besides Node's own modules; for core, anything that is neither ours nor a framework. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  express: ['@jwks-auth/core', 'express'],
  koa: ['@jwks-auth/core', 'koa'],
  fastify: ['@jwks-auth/core', 'fastify', 'fastify-plugin'],
  fetch: ['@jwks-auth/core'],
  nestjs: ['@jwks-auth/core', '@nestjs/common', '@nestjs/core', '@nestjs/websockets'],
  mcp: ['@jwks-auth/core', '@modelcontextprotocol/sdk', '@modelcontextprotocol/server'],
  redis: ['@jwks-auth/core', 'ioredis'],
  prometheus: ['@jwks-auth/core', 'prom-client'],
  opentelemetry: ['@jwks-auth/core', '@opentelemetry/api'],
  testing: ['@jwks-auth/core', 'jose'],
  cli: ['@jwks-auth/core', '@jwks-auth/testing'],
}

/** Dependencies between packages point down to core, and each adapter knows one framework. */
export function dependencyViolations(files: readonly SourceFile[]): string[] {
  return [...sourceViolations(files), ...manifestViolations(files)]
}

function sourceViolations(files: readonly SourceFile[]): string[] {
  return packageSources(files).flatMap((file) =>
    importsOf(file).flatMap(({ specifier, line }) => {
      const name = packageName(specifier)
      if (specifier.startsWith('.') || isBuiltin(specifier) || mayUse(packageOf(file.path), name)) return []
      return [`${file.path}:${line} may not import ${name}`]
    }),
  )
}

function manifestViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const owner = /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1]
    if (owner === undefined) return []
    const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>
    return ['dependencies', 'peerDependencies', 'optionalDependencies']
      .flatMap((group) => Object.keys(manifest[group] ?? {}))
      .filter((name) => !mayUse(owner, name.replace(/^@types\//, '')))
      .map((name) => `${path} may not depend on ${name}`)
  })
}

function mayUse(owner: string | undefined, name: string): boolean {
  if (owner === undefined) return false
  if (owner === 'core') return !name.startsWith(ours) && !frameworks.has(name)
  return allowed[owner]?.includes(name) ?? false
}
