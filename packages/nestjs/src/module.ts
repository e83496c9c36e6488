import { createAuthenticator, type JwksAuthOptions, type RegisteredClaims } from '@jwks-auth/core'
import {
  type DynamicModule,
  type FactoryProvider,
  Module,
  type ModuleMetadata,
  type OnApplicationShutdown,
} from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { JwksAuthGuard, RUNNING_AUTH, type RunningAuth } from './guard.ts'

/** Whether a {@link JwksAuthModule} guards every handler. */
export interface GlobalOption {
  /** `false` guards no handler by itself; handlers opt in with `@UseGuards(JwksAuthGuard)`. Default `true`. */
  readonly global?: boolean | undefined
}

/** The options of `JwksAuthModule.forRoot`. */
export type JwksAuthModuleOptions<Claims = RegisteredClaims> = JwksAuthOptions<Claims, RegisteredClaims> & GlobalOption

/** The options of `JwksAuthModule.forRootAsync`. */
export interface JwksAuthModuleAsyncOptions<Claims = RegisteredClaims> extends GlobalOption {
  /** Modules that export what `inject` names. */
  readonly imports?: ModuleMetadata['imports']
  /** What to pass to `useFactory`, in this order. */
  readonly inject?: FactoryProvider['inject']
  /** Returns the options, or a promise of them. */
  readonly useFactory: (
    ...dependencies: never[]
  ) => JwksAuthOptions<Claims, RegisteredClaims> | Promise<JwksAuthOptions<Claims, RegisteredClaims>>
}

/** Injects the `Authenticator` of {@link JwksAuthModule}, with its `registry`. */
export const JWKS_AUTHENTICATOR: unique symbol = Symbol('@jwks-auth/nestjs: authenticator')

/**
 * The module that authenticates requests: it registers {@link JwksAuthGuard} for all handlers, provides what that needs to
 * every module, and closes the registry when the application has shut down, unless that was given in the options.
 */
@Module({})
export class JwksAuthModule {
  /** Takes options. The application does not start with a wrong one: a `TypeError` names it. */
  static forRoot<Claims = RegisteredClaims>({ global, ...options }: JwksAuthModuleOptions<Claims>): DynamicModule {
    return dynamicModule({ global, useFactory: () => options as JwksAuthOptions<Claims, RegisteredClaims> })
  }

  /** Takes options from a factory. The application does not start with a wrong one: a `TypeError` names it. */
  static forRootAsync<Claims = RegisteredClaims>(options: JwksAuthModuleAsyncOptions<Claims>): DynamicModule {
    return dynamicModule(options)
  }
}

function dynamicModule<Claims>({
  global: isGlobal = true,
  imports = [],
  inject = [],
  useFactory,
}: JwksAuthModuleAsyncOptions<Claims>): DynamicModule {
  if (typeof isGlobal !== 'boolean') throw new TypeError('global must be true or false')
  if (typeof useFactory !== 'function') throw new TypeError('useFactory must be a function')
  return {
    module: JwksAuthModule,
    global: true,
    imports,
    providers: [
      {
        provide: RUNNING_AUTH,
        inject,
        useFactory: async (...dependencies: never[]) => runAuth(await useFactory(...dependencies)),
      },
      {
        provide: JWKS_AUTHENTICATOR,
        inject: [RUNNING_AUTH],
        useFactory: ({ authenticator }: RunningAuth) => authenticator,
      },
      JwksAuthGuard,
      ...(isGlobal ? [{ provide: APP_GUARD, useExisting: JwksAuthGuard }] : []),
    ],
    exports: [RUNNING_AUTH, JWKS_AUTHENTICATOR, JwksAuthGuard],
  }
}

/** Requests may come until the server has closed, so that the registry closes after that. */
function runAuth<Claims>(options: JwksAuthOptions<Claims, RegisteredClaims>): RunningAuth & OnApplicationShutdown {
  if (options.passErrors === false) {
    throw new TypeError('passErrors must not be false: Nest passes every refusal to its exception filters')
  }
  const authenticator = createAuthenticator(options as JwksAuthOptions)
  return {
    authenticator,
    property: options.property ?? 'auth',
    outcomes: new WeakMap(),
    onApplicationShutdown: () => authenticator.close(),
  }
}
