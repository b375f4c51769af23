import type { Region } from '../../client/region.js'

/** A granted lock on pages of a region. */
export type Lock = Awaited<ReturnType<Region['lock']>>

const nothing = new Uint8Array(0)

/** Whether the right behind the lock still stands: it may be lost, or not be sure at the moment. */
export function stands(lock: Lock): boolean {
  try {
    lock.read(lock.offset, 0, nothing)
    return true
  } catch {
    return false
  }
}
