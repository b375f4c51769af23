import { HistoryRecorder } from '../../src/testing/history.js'
import type { OpenOperation, Operation } from '../../src/testing/history.js'
import type { Prng } from '../../src/stdx/prng.js'

/** One operation in progress: it takes effect once, somewhere between its ends. */
interface Running {
  readonly open: OpenOperation
  readonly kind: 'read' | 'write' | 'update'
  readonly value: string
  /** What the register held when it took effect; undefined until then. */
  seen: string | null | undefined
}

/** What clients see of a real register that does one thing at a time, with some answers lost. One key. */
export function randomHistory(
  random: Prng,
  size: { readonly clients: number; readonly operations: number },
): readonly Operation[] {
  let nowMs = 0
  const recorder = new HistoryRecorder(() => nowMs)
  const running = new Map<number, Running>()
  let register: string | null = null
  let begun = 0
  const takeEffect = (one: Running): void => {
    one.seen = register
    if (one.kind !== 'read') register = one.value
  }
  while (begun < size.operations || running.size > 0) {
    nowMs += random.chance(0.2) ? 0 : random.exponential(1)
    const client = random.int(0, size.clients - 1)
    const one = running.get(client)
    if (one === undefined) {
      if (begun >= size.operations) continue
      const kind = random.pick(['read', 'read', 'write', 'update'] as const)
      const value = `v${begun++}`
      const name = `client-${client}`
      const open = kind === 'read' ? recorder.read(name, 'k') : recorder.write(name, 'k', value)
      running.set(client, { open, kind, value, seen: undefined })
    } else if (one.seen === undefined && random.chance(0.05)) {
      // The answer is lost, and the request may be too.
      one.open.unknown()
      if (random.chance(0.5)) takeEffect(one)
      running.delete(client)
    } else if (one.seen === undefined) {
      takeEffect(one)
    } else {
      if (one.kind === 'read') one.open.read(one.seen)
      else one.open.wrote(one.kind === 'update' ? one.seen : undefined)
      running.delete(client)
    }
  }
  return recorder.operations()
}
