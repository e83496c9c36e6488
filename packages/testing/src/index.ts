export type {
  Answer,
  AnswerFunction,
  CloseAnswer,
  GarbageAnswer,
  GzipAnswer,
  HangAfterHeadersAnswer,
  HangAnswer,
  HeadedAnswer,
  NormalAnswer,
  OversizedBodyAnswer,
  RedirectAnswer,
  ReplyAnswer,
  ResetAnswer,
  SlowBodyAnswer,
  StalledBodyAnswer,
  TimedAnswer,
  TruncatedBodyAnswer,
  TruncatedGzipAnswer,
} from './answers.ts'
export type { StorePart, StorePlace } from './contract/store-place.ts'
export type { AnswerHeaders } from './document.ts'
export { createTestIssuer } from './issuer.ts'
export {
  type RotateOptions,
  type SigningAlgorithm,
  signingAlgorithms,
  type TestKey,
  type TestKeyOptions,
} from './keys.ts'
export { createManualClock, type ManualClock, type ManualClockOptions } from './manual-clock.ts'
export {
  type MemoryStore,
  type MemoryStoreOptions,
  type MemoryStorePart,
  memoryStore,
  type StoreCall,
  type StoredSnapshot,
  type StoreMethod,
  storeMethods,
} from './memory-store.ts'
export type { MetadataMembers } from './metadata.ts'
export type { IssuerClock, TestIssuerOptions } from './options.ts'
export type { IssuerEndpoint, ReceivedRequest, RequestEndpoint } from './request-log.ts'
export type { SignOverrides, TokenClaims } from './sign.ts'
export {
  type SnapshotStoreContractOptions,
  type StoreContractCase,
  snapshotStoreContract,
} from './snapshot-store-contract.ts'
export type { TestIssuer } from './test-issuer.ts'
