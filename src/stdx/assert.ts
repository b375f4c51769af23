/**
 * Assertions guard what must hold by construction. A broken one is a bug of ours, never bad input: it is not a
 * `KhazanaError`, and whoever catches it at the top stops the node.
 */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** The value, which cannot be undefined here. The message says why. */
export function present<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new AssertionError(message)
  return value
}

/** Ends a `switch` over a closed union: the compiler proves that it cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`)
}
