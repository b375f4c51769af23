import { RowSkipped } from '../../row-skipped.js'
import type { Place } from '../scenario.js'

/** The place's directory as the other node has it. Throws `RowSkipped` where there is none. */
export function otherOf({ other }: Place): string {
  if (other === undefined) throw new RowSkipped('needs a second mount: give --other')
  return other
}
