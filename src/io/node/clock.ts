import type { Clock, Timer } from '../clock.js'

/** The longest delay that a timer of the runtime takes. */
const delayMsMax = 2 ** 31 - 1

export const nodeClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after: (delayMs, run) => {
    const dueAt = performance.now() + delayMs
    let cancelled = false
    let timer: NodeJS.Timeout
    // The runtime's timers count from when the current turn began, so they may fire early; and not beyond 24 days.
    const wait = (remainingMs: number): void => {
      timer = setTimeout(
        () => {
          const stillMs = dueAt - performance.now()
          if (stillMs > 0) wait(stillMs)
          else if (!cancelled) run()
        },
        Math.min(Math.ceil(Math.max(0, remainingMs)), delayMsMax),
      )
    }
    wait(delayMs)
    const handle: Timer = {
      cancel: () => {
        cancelled = true
        clearTimeout(timer)
      },
    }
    return handle
  },
}
