import { BufferPool } from '../store/buffer-pool.js'
import { PageMemory } from './page-memory.js'
import { LockMemory } from './replica/site-environment.js'

/** Share of the memory that locks may hold: the rest keeps what is used most. */
const lockShare = 0.75
/** Share of the memory that buffers between two uses may take. */
const spareShare = 1 / 16

/** The RAM that a site gives to global memory. */
export interface LocalMemory {
  readonly frames: PageMemory
  readonly buffers: BufferPool
  readonly lockMemory: LockMemory
}

export function makeLocalMemory(bytesMax: number): LocalMemory {
  return {
    frames: new PageMemory(bytesMax),
    buffers: new BufferPool(Math.floor(bytesMax * spareShare)),
    lockMemory: new LockMemory(Math.floor(bytesMax * lockShare)),
  }
}

/** False while pages that cannot go yet are above the bound: to be tried again. */
export function resizeMemory({ frames, buffers, lockMemory }: LocalMemory, bytesMax: number): boolean {
  buffers.resize(Math.floor(bytesMax * spareShare))
  lockMemory.bytesMax = Math.floor(bytesMax * lockShare)
  return frames.resize(bytesMax)
}
