import type { PageIndex } from '../../address/page.js'
import type { Stamp } from './hybrid-clock.js'

/** What a site that is not the home knows of a page that it has the bytes of. */
export interface Copy {
  readonly page: PageIndex
  /** Of the frame. */
  stamp: Stamp
  /** The newest of the home's states that the frame is made from. */
  base: Stamp
  /** Whether the frame has something of this site's that was not pushed yet. */
  isWritten: boolean
  /** What the push that is under way said. */
  pushing: Stamp | undefined
  /** When it was sent, on this site's clock. */
  pushedAt: number
  /** When the home was last told something that an update must come after. */
  toldAt: number
  /** When the home certainly had nothing newer. */
  freshAt: number
}

/** Whether the home may not have all that the frame has. */
export function isDirty(copy: Copy): boolean {
  return copy.isWritten || copy.pushing !== undefined
}
