import assert from 'node:assert/strict'
import { PosixError } from './agent/posix-error.js'

/** Statements about behaviour, counted. */
export class Checks {
  #count = 0

  get count(): number {
    return this.#count
  }

  readonly same = <T>(actual: T, expected: T, what?: string): void => {
    this.#count += 1
    assert.deepEqual(actual, expected, what === undefined ? undefined : `${what}: ${shown(actual, expected)}`)
  }

  readonly holds = (fact: boolean, what: string): void => {
    this.#count += 1
    assert.ok(fact, what)
  }

  /** The call fails with this errno, exactly; or with one of these, where the standard leaves the choice. */
  readonly fails = async (call: Promise<unknown>, ...errnos: readonly string[]): Promise<void> => {
    this.#count += 1
    const outcome = await call.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    const expected = errnos.join(' or ')
    if ('value' in outcome) {
      assert.fail(`expected ${expected}, but it succeeded with ${JSON.stringify(outcome.value)}`)
    }
    const { error } = outcome
    if (!(error instanceof PosixError)) throw error
    assert.ok(errnos.includes(error.errno), `expected ${expected}, but ${error.message}`)
  }

  /** The call succeeds; answers its result. */
  readonly works = async <T>(call: Promise<T>): Promise<T> => {
    this.#count += 1
    return call
  }

  /** The call has not ended after a while. */
  readonly blocks = async (call: Promise<unknown>): Promise<void> => {
    this.#count += 1
    const blocked = Symbol('blocked')
    // What it ends with later is for the scene to look at; here a rejection must not go astray.
    call.catch(() => undefined)
    const first = await Promise.race([call, rest(blockedMs).then(() => blocked)])
    assert.equal(first, blocked, 'it should have blocked')
  }
}

/** After which a call counts as blocked. */
const blockedMs = 60

export function rest(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms))
}

function shown(actual: unknown, expected: unknown): string {
  return `${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`.slice(0, 2_000)
}
