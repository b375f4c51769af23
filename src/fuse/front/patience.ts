import type { Soon } from '../../fs/file-system.js'
import { Errno } from '../errno.js'
import type { Call } from '../server/operations.js'

/**
 * How long an operation may take from when its program is interrupted. Programs do not expect that a signal ends what they do with a file, so that it ends at once
 * only where they wait for each other; but who waits for a node that is gone should be able to leave.
 */
const patienceMs = 1000

/** The same, or `EINTR` where whoever asks is interrupted and has waited for long. Only for what changes nothing: it goes on, and nobody hears of it. */
export function patiently<T>(call: Call, soon: Soon<T>): Soon<T> {
  return soon instanceof Promise ? orInterrupted(call.signal, soon) : soon
}

function orInterrupted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const onAbort = (): void => {
      timer = setTimeout(() => {
        reject(Errno.of('EINTR'))
      }, patienceMs)
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    })
  })
}
