import { unreachable } from '../../src/stdx/assert.js'

export const faultKinds = ['kill', 'stop', 'partition'] as const
export type FaultKind = (typeof faultKinds)[number]

/** Messages from the first machine do not come to the second one. */
export interface Cut {
  readonly from: number
  readonly to: number
}

/** A process, by its number among its kind, from 1. */
export interface Target {
  readonly kind: 'node' | 'client'
  readonly number: number
}

/** What goes wrong for a while, and is then put right. Machines are numbered from 1, nodes first. */
export type Fault =
  /** `kill -9`, and started again at the end. */
  | { readonly kind: 'kill'; readonly nodes: readonly number[]; readonly lastsMs: number }
  /** SIGSTOP, and SIGCONT at the end. */
  | { readonly kind: 'stop'; readonly target: Target; readonly lastsMs: number }
  | {
      readonly kind: 'partition'
      /** In words. */
      readonly shape: string
      readonly cuts: readonly Cut[]
      readonly lastsMs: number
    }

/** For one line. */
export function describeFault(fault: Fault): string {
  const time = `for ${(fault.lastsMs / 1000).toFixed(1)} s`
  switch (fault.kind) {
    case 'kill':
      return `kill ${fault.nodes.map((node) => `n${node}`).join(', ')} ${time}`
    case 'stop':
      return `stop ${fault.target.kind === 'node' ? 'n' : 'c'}${fault.target.number} ${time}`
    case 'partition':
      return `partition: ${fault.shape} ${time}`
    default:
      return unreachable(fault)
  }
}
