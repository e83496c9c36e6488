import type { Guard } from '@jwks-auth/core/adapter'
import type { ExecutionContext } from '@nestjs/common'

/** Who may call a handler: everybody without authentication, or whoever has a token that these guards let pass. */
export type Access = 'public' | readonly Guard[]

/** `Symbol.for`, so that the guard finds what the decorators of another copy of this package have left. */
const accessKey = Symbol.for('@jwks-auth/nestjs: access')

/**
 * Lets everybody call a handler, or the handlers of a class.
 *
 * @throws TypeError beside a decorator that requires something
 */
export function allowEverybody(target: object): void {
  if (ownAccess(target) !== undefined) throw contradiction()
  Reflect.defineMetadata(accessKey, 'public', target)
}

/**
 * Requires something of a handler, or of the handlers of a class, in addition to what is required already. Returns true
 * for the first such requirement of its own.
 *
 * @throws TypeError beside `Public`
 */
export function addRequirement(target: object, guard: Guard): boolean {
  const own = ownAccess(target)
  if (own === 'public') throw contradiction()
  // A subclass requires what its base class does, too, unless that is public.
  const inherited = accessTo(target)
  Reflect.defineMetadata(accessKey, [guard, ...(inherited === 'public' ? [] : (inherited ?? []))], target)
  return own === undefined
}

/** Returns who may call the handler of a context. What the handler has of its own counts more than a public class. */
export function accessOf(context: ExecutionContext): Access {
  const handler = accessTo(context.getHandler())
  const all = accessTo(context.getClass())
  if (handler === 'public' || (handler === undefined && all === 'public')) return 'public'
  return [...(all === undefined || all === 'public' ? [] : all), ...(handler ?? [])]
}

function accessTo(target: object): Access | undefined {
  return Reflect.getMetadata(accessKey, target) as Access | undefined
}

function ownAccess(target: object): Access | undefined {
  return Reflect.getOwnMetadata(accessKey, target) as Access | undefined
}

function contradiction(): TypeError {
  return new TypeError('Public contradicts the decorator beside it that requires something of the token')
}
