// Nothing of the world is touched by this: it is a setting of the signal.
// eslint-disable-next-line no-restricted-imports
import { setMaxListeners } from 'node:events'

/** An `AbortController` whose signal any number of things may wait for at a time; the runtime would warn of a leak. */
export function sharedAbortController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
