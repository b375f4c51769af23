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
export class FrameCache {
  readonly bytesMax: number
  usedBytes = 0
  #frames = new Set<Frame>()
  constructor(bytesMax: number) { this.bytesMax = bytesMax }
  insert(frame: Frame): void {
    this.#frames.add(frame); this.usedBytes += frame.bytes.length
    if (this.usedBytes <= this.bytesMax) return
    for (const old of this.#frames) {
      if (this.usedBytes <= this.bytesMax) break
      if (old === frame || old.pins > 0) continue
      if (old.owner.evict(old)) this.remove(old)
    }
  }
  remove(frame: Frame): void { if (this.#frames.delete(frame)) this.usedBytes -= frame.bytes.length }
}
