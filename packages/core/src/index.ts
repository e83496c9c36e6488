// The declarations use Node's types, also in a project whose `types` is empty, as it is by default since TypeScript 6.
/// <reference types="node" preserve="true" />
export type { AccessTokenClaims, Auth, ClaimsOf, Register, RegisteredClaims, RequestProperty } from './auth/auth.ts'
export type {
  JwksAuthOptions,
  MultiTenantOptions,
  ProviderConfig,
  RegistryChoice,
  RequestOptions,
  SingleTenantOptions,
  TenantConfig,
  TenantLookupFunction,
  TokenCacheOptions,
} from './auth/auth-options.ts'
export { type Authenticator, createAuthenticator, type VerifyOptions } from './auth/authenticator.ts'
export type { ScopeSource } from './auth/check-claims.ts'
export type { ClaimRuleOptions } from './auth/claim-rules.ts'
export type { RequiredAuthentication, RequiredClaims } from './auth/guards.ts'
export type { TokenHeader } from './auth/parse-token.ts'
export type { ProtectedResourceOptions } from './auth/protected-resource.ts'
export type {
  AuthOutcome,
  AuthRefusal,
  RefusalResponse,
  RefusingAuthenticator,
  VerifyOutcome,
} from './auth/refusal.ts'
export {
  type CookieSourceOptions,
  type TokenSource,
  tokenFromCookie,
  tokenFromHeader,
  tokenFromQuery,
} from './auth/token-sources.ts'
export type { UntilInvalidOptions } from './auth/until-invalid.ts'
export {
  type AuthRequest,
  type AuthRequestLike,
  type FetchHeaders,
  type FetchRequest,
  type NodeHeaders,
  nodeHeaders,
} from './base/auth-request.ts'
export type { Clock } from './base/clock.ts'
export {
  type ErrorCode,
  FleetFetchFailedError,
  JwksAuthError,
  ProviderNotRegisteredError,
  ProviderTakenError,
  type PublicErrorCode,
  RegistryClosedError,
  RequestNotAuthenticatedError,
  type RequestNotAuthenticatedOptions,
  RequestRefusedError,
  StoreFailedError,
  type StoreFailure,
} from './base/errors/jwks-auth-error.ts'
export {
  AlgorithmNotAllowedError,
  AudienceNotAllowedError,
  AuthenticationInsufficientError,
  type AuthenticationInsufficientErrorOptions,
  AuthenticatorNotRunError,
  AuthorizationMalformedError,
  ClaimMalformedError,
  ClaimMissingError,
  ClaimNotBoundError,
  ClaimsNotSufficientError,
  ClaimsRejectedError,
  ClientNotAllowedError,
  ConfirmationNotCheckedError,
  CriticalHeaderNotUnderstoodError,
  CrossSiteRequestError,
  IssuerNotAllowedError,
  IssuerSharedError,
  KeyNotFoundError,
  KeyRevokedError,
  KeysUnavailableError,
  type KeysUnavailableErrorOptions,
  ScopeMissingError,
  SignatureInvalidError,
  TenantLookupFailedError,
  type TenantLookupFailedErrorOptions,
  TenantNotDeterminedError,
  TenantUnknownError,
  TokenExpiredError,
  TokenIssuedInFutureError,
  TokenMalformedError,
  TokenMissingError,
  TokenNotYetValidError,
  TokenRejectedError,
  TokenRevokedError,
  TokenTooLongError,
  TokenTooOldError,
  TokenTypeNotAllowedError,
} from './base/errors/request-errors.ts'
export {
  ContentCodingNotSupportedError,
  KeyPinMismatchError,
  KeySetMalformedError,
  MetadataIssuerMismatchError,
  MetadataMalformedError,
  ResponseTooLargeError,
  UpstreamAddressNotAllowedError,
  type UpstreamDocument,
  type UpstreamRequestErrorOptions,
  UpstreamRequestFailedError,
  UpstreamStatusError,
  type UpstreamStatusErrorOptions,
  type UpstreamStep,
  UpstreamTimedOutError,
  UpstreamUnreachableError,
  UpstreamUrlNotAllowedError,
} from './base/errors/upstream-errors.ts'
export type { ProviderKey } from './base/provider-key.ts'
export type { Network } from './http/addresses.ts'
export type { CertificateAuthorities } from './http/connection.ts'
export type { HttpDispatcher } from './http/exchange.ts'
export type { RequestHeaders } from './http/transport.ts'
export type { KeySetChanges, RefusedKey } from './jwks/key-set.ts'
export type { KeyRefusal, SignatureAlgorithm } from './jwks/verification-key.ts'
export type {
  FetchEvent,
  FetchReason,
  IssuerMismatchEvent,
  IssuerSharedEvent,
  KeyEvent,
  KeysRefusedEvent,
  RefreshEvent,
  RefreshFailedEvent,
  RefusedEvent,
  RegistryEvents,
  SnapshotRefusedEvent,
  StoreFailedEvent,
  StoreOperation,
  StoreRecoveredEvent,
  StoreWarningEvent,
  TenantLookupFailedEvent,
} from './jwks-cache/cache-events.ts'
export type { RetryPolicy } from './jwks-cache/cache-options.ts'
export type { Metrics } from './jwks-cache/cache-state.ts'
export type { RestoreReport } from './persistence/persistence.ts'
export type { StoreSide } from './persistence/store-circuit.ts'
export { createRegistry } from './registry/create-registry.ts'
export { type EventLogger, type LogEventsOptions, logEvents } from './registry/log-events.ts'
export type { ProviderOptions } from './registry/provider-options.ts'
export type { ProviderLocation, ProviderRegistration } from './registry/registration.ts'
export type { ProviderStatus, RefreshOutcome, Registry } from './registry/registry.ts'
export type { RegistryOptions } from './registry/registry-options.ts'
export { type FileStoreOptions, fileStore } from './stores/file-store.ts'
export type { SnapshotRefusal } from './stores/integrity.ts'
export type {
  FleetCoordination,
  FleetNotice,
  LeaseState,
  RevocationStore,
  Snapshot,
  SnapshotStore,
  VersionedSnapshot,
} from './stores/snapshot-store.ts'
export type { TenantCacheOptions } from './tenants/tenant-lookup.ts'
export {
  type TenantResolver,
  tenantFromHeader,
  tenantFromHost,
  tenantFromIssuer,
  tenantFromPath,
} from './tenants/tenant-resolvers.ts'
