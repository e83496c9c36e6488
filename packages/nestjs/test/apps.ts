import type { AddressInfo } from 'node:net'
import type { INestApplication, ModuleMetadata, Type } from '@nestjs/common'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { afterEach } from 'vitest'

/** The HTTP platforms of Nest. */
export const platforms = ['Express', 'Fastify'] as const

export type Platform = (typeof platforms)[number]

/** A response as a test sees it. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** A running application. */
export interface App {
  readonly nest: INestApplication
  readonly port: number
  get(path: string, token?: string): Promise<Answer>
}

const open: INestApplication[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((nest) => nest.close()))
})

/** A module as an application writes it, without a class for each test. */
export function moduleOf(metadata: ModuleMetadata): Type {
  class AppModule {}
  Module(metadata)(AppModule)
  return AppModule
}

/** Creates an application; closed after the test. */
export async function createApp(platform: Platform, metadata: ModuleMetadata): Promise<INestApplication> {
  const adapter = platform === 'Express' ? new ExpressAdapter() : new FastifyAdapter({ forceCloseConnections: true })
  const nest = await NestFactory.create(moduleOf(metadata), adapter, {
    logger: false,
    abortOnError: false,
    forceCloseConnections: true,
  })
  open.push(nest)
  return nest
}

/** Listens on a free port. */
export async function listen(nest: INestApplication): Promise<App> {
  await nest.listen(0, '127.0.0.1')
  const { port } = nest.getHttpServer().address() as AddressInfo
  return {
    nest,
    port,
    async get(path, token) {
      const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers })
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
      return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
    },
  }
}

/** Creates an application that listens on a free port. */
export async function startApp(platform: Platform, metadata: ModuleMetadata): Promise<App> {
  return listen(await createApp(platform, metadata))
}
