import type { Region } from '../../src/index.js'
import { present } from '../../src/stdx/assert.js'
import { pageBytes, pagesInOrder, workingSetPages } from '../parts/working-set.js'

/** Lock, read into a given buffer, unlock; of the next page of the working set, which must be here. */
export function readHit(region: Region): (index: number) => void {
  const pages = pagesInOrder()
  const into = new Uint8Array(pageBytes)
  return (index) => {
    const page = pages[index % workingSetPages]
    if (page === undefined) return
    const lock = present(region.tryLock('read', page), 'the page is here')
    lock.read(page.offset, pageBytes, into)
    // Resolved already: nobody writes.
    void lock.unlock()
  }
}
