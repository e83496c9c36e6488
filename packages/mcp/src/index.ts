// One import serves an application, and the lists cannot drift.
export * from '@jwks-auth/core'
export type { AuthInfo } from './auth-info.ts'
export { createMcpAuth, type McpAuth, type McpMiddleware, type McpOutcome } from './mcp-auth.ts'
export type { McpAuthOptions, McpServerOptions } from './mcp-options.ts'
export type { SdkErrors, TokenVerifier } from './token-verifier.ts'
