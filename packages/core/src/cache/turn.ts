import type { FetchReason } from './cache-events.ts'

/** What a fetch is about to be made for. */
export interface TurnRequest {
  readonly reason: FetchReason
  /** When whoever waits gives up, in milliseconds since the epoch. */
  readonly deadline: number
  /** Says whether what is held has become enough. */
  isSatisfied(): boolean
}

/** Leave to fetch, for as long as it lasts. */
export interface Turn {
  /** True where another process has taken over meanwhile, and its keys are held now instead of what was fetched. */
  wasOvertaken(): Promise<boolean>
  /** Ends it, once what was fetched is saved. */
  end(): void
}

/** Has one process fetch for all that share a store. */
export interface FleetTurns {
  /** Waits for leave to fetch; `undefined` where there is nothing to fetch: others did, or the fleet's budget is spent. */
  take(request: TurnRequest): Promise<Turn | undefined>
  /** The last look found what it was for. */
  returnRefetch(): void
  /** Another process has saved. */
  noticed(): void
}
