/**
 * Why a simulation could not go on. None of these is an answer of the simulated code: each is a bug in it, or a bound
 * that is too small.
 *
 * - `program-failed`: simulated code threw, or left a rejected promise unhandled.
 * - `deadlock`: something is awaited, and no event is left that could bring it.
 * - `steps-exhausted`, `wall-clock-exhausted`, `virtual-time-exhausted`: the budget is spent; the message lists what
 *   was pending.
 * - `leak`: simulated code holds a real timer, socket, file or thread.
 * - `ambient`: simulated code asked the real machine for time, randomness or a timer.
 * - `nested`: two simulations at once in one process.
 */
export type SimulationErrorKind =
  | 'program-failed'
  | 'deadlock'
  | 'steps-exhausted'
  | 'wall-clock-exhausted'
  | 'virtual-time-exhausted'
  | 'leak'
  | 'ambient'
  | 'nested'

export class SimulationError extends Error {
  override readonly name = 'SimulationError'
  readonly kind: SimulationErrorKind

  constructor(kind: SimulationErrorKind, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.kind = kind
  }
}
