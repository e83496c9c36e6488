import * as core from '@jwks-auth/core'
import * as express from '@jwks-auth/express'
import * as fastify from '@jwks-auth/fastify'
import * as koa from '@jwks-auth/koa'
import { describe, expect, it } from 'vitest'

const errors = Object.entries(core).filter(([name]) => name.endsWith('Error'))

describe.each(Object.entries({ express, koa, fastify }))('@jwks-auth/%s', (_, adapter: object) => {
  it('exports every class of errors of the core, so that an application needs one package to tell them apart', () => {
    expect(errors.length).toBeGreaterThan(30)
    for (const [name, error] of errors) expect(Reflect.get(adapter, name), name).toBe(error)
  })
})
