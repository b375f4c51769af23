import type { TimedOperation } from '../record.js'

/** A region as a client is told of it. */
export interface PlacedRegion {
  readonly name: string
  /** As `formatAddress` gives it: it travels between processes. */
  readonly address: string
}

/** How a client comes into global memory. */
export type Entrance =
  /** Through one node at a time, by its socket: the first one at first, and another one when that does not answer. */
  | { readonly kind: 'clients'; readonly sockets: readonly string[] }
  /** As a node itself. */
  | {
      readonly kind: 'member'
      readonly dir: string
      readonly name: string
      readonly listen: string
      readonly join: string
      readonly insecure: boolean
    }

export interface StartRequest {
  readonly kind: 'start'
  /** Unique in the run. */
  readonly name: string
  readonly seed: number
  /** The zero of all times of the run: nanoseconds of the shared clock. */
  readonly origin: bigint
  readonly entrance: Entrance
  readonly regions: readonly PlacedRegion[]
  /** The mean pause of each of a client's lanes, of which it has one for each region, between two sections. */
  readonly pauseMs: number
}

/** What the run says to a client process. */
export type ToClient = StartRequest | { readonly kind: 'stop' }

/** What a client process says. */
export type FromClient =
  /** It has come into global memory. */
  | { readonly kind: 'started' }
  /** What has ended since it last said so, and the errors by code that operations and connections ended with meanwhile. */
  | {
      readonly kind: 'report'
      readonly operations: readonly TimedOperation[]
      readonly errors: readonly ClientError[]
    }
  /** After the last report. */
  | { readonly kind: 'ended' }

export interface ClientError {
  readonly code: string
  readonly message: string
}
