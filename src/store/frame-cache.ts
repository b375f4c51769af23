import type { PageIndex } from '../address/page.js'
export interface FrameOwner { evict(frame: Frame): boolean }
export class Frame {
  readonly owner: FrameOwner
  readonly page: PageIndex
  bytes: Uint8Array
  pins = 0
  uses = 0
  constructor(owner: FrameOwner, page: PageIndex, bytes: Uint8Array) { this.owner = owner; this.page = page; this.bytes = bytes }
}
export interface FrameCache { insert(frame: Frame): void; remove(frame: Frame): void; readonly bytesMax: number; readonly usedBytes: number }
