import { SimulationError } from './simulation-error.js'

/**
 * While it is in force, whatever reaches for the real machine's time, timers or randomness throws
 * `SimulationError` (`ambient`): such code would make a run depend on more than its seed. Timers and promises of
 * Node.js itself are not touched, since it keeps references of its own.
 *
 * `using guard = forbidAmbient()` puts everything back at the end of the block. One guard at a time (`nested`):
 * restoring two in the wrong order would leave the throwing functions behind.
 */
export function forbidAmbient(): Disposable {
  if (isForbidden(globalThis.setTimeout)) {
    throw new SimulationError('nested', 'one simulation at a time in one process')
  }
  const restores = targets().map(([owner, key, name]) => forbid(owner, key, name))
  return {
    [Symbol.dispose]: () => {
      for (const restore of restores) restore()
    },
  }
}

const forbidden = Symbol('forbidden in simulated code')

/** The object, the key on it, and what people call it. */
type Target = readonly [owner: object, key: string, name: string]

function targets(): readonly Target[] {
  return [
    [Date, 'now', 'Date.now'],
    [globalThis, 'Date', 'the current Date'],
    [Math, 'random', 'Math.random'],
    [performance, 'now', 'performance.now'],
    [process, 'hrtime', 'process.hrtime'],
    [crypto, 'getRandomValues', 'crypto.getRandomValues'],
    [crypto, 'randomUUID', 'crypto.randomUUID'],
    [AbortSignal, 'timeout', 'AbortSignal.timeout'],
    [globalThis, 'setTimeout', 'setTimeout'],
    [globalThis, 'setInterval', 'setInterval'],
    [globalThis, 'setImmediate', 'setImmediate'],
    [globalThis, 'fetch', 'fetch'],
  ]
}

function forbid(owner: object, key: string, name: string): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, key)
  const value = owner === globalThis && key === 'Date' ? dateWithoutNow(name) : thrower(name)
  Object.defineProperty(owner, key, { value, configurable: true, enumerable: true, writable: true })
  return () => {
    // What was inherited from a prototype has no descriptor of its own.
    if (before === undefined) Reflect.deleteProperty(owner, key)
    else Object.defineProperty(owner, key, before)
  }
}

function thrower(name: string): () => never {
  const throws = (): never => {
    throw new SimulationError(
      'ambient',
      `simulated code used ${name}: everything ambient comes from the World`,
    )
  }
  // `process.hrtime.bigint` is a function on a function.
  return Object.assign(throws, { bigint: throws, [forbidden]: true })
}

/** `new Date(milliseconds)` is a calculation and stays; `new Date()` reads the clock. */
function dateWithoutNow(name: string): DateConstructor {
  return new Proxy(Date, {
    construct: (target, args: unknown[], newTarget) =>
      args.length === 0 ? thrower(name)() : (Reflect.construct(target, args, newTarget) as Date),
    apply: thrower(name),
  })
}

function isForbidden(value: object): boolean {
  return forbidden in value
}
