import assert from 'node:assert/strict'
import type { CommitGroup, Store } from '../../src/store/store.js'
import { page as pageOf, space as spaceOf } from './store-fixture.js'

/** What a store should hold, kept in the most obvious way. */
export class StoreModel {
  /** Without bytes: damaged. */
  readonly pages = new Map<string, { version: number; bytes: Uint8Array | undefined }>()
  readonly values = new Map<string, Uint8Array>()

  copy(): StoreModel {
    const copy = new StoreModel()
    for (const [key, page] of this.pages) copy.pages.set(key, { ...page })
    for (const [key, value] of this.values) copy.values.set(key, value)
    return copy
  }

  apply(group: CommitGroup): void {
    for (const space of group.drops ?? []) this.#forget(space, 0, Infinity)
    for (const { space, range } of group.frees ?? []) this.#forget(space, range.first, range.count)
    for (const { space, page, version, bytes } of group.pages ?? [])
      this.pages.set(`${space}/${page}`, { version, bytes })
    for (const { space, page, version } of group.damages ?? []) {
      const key = `${space}/${page}`
      if (this.pages.get(key)?.version !== version) this.pages.set(key, { version, bytes: undefined })
    }
    for (const { space, page, version, bytes } of group.mends ?? []) {
      const known = this.pages.get(`${space}/${page}`)
      if (known?.version === version && known.bytes === undefined) known.bytes = bytes
    }
    for (const key of group.deletes ?? []) this.values.delete(key)
    for (const { key, value } of group.puts ?? []) this.values.set(key, value)
  }

  bytes(): number {
    let bytes = 0
    for (const page of this.pages.values()) bytes += page.bytes?.length ?? 0
    return bytes
  }

  #forget(space: number, first: number, count: number): void {
    for (const key of this.pages.keys()) {
      const [inSpace, page] = key.split('/').map(Number)
      if (inSpace === space && page !== undefined && page >= first && page < first + count)
        this.pages.delete(key)
    }
  }

  /** Pages with their versions, whether they are damaged, and the metadata: cheap to compare. */
  outline(): string {
    const pages = [...this.pages].map(
      ([key, { version, bytes }]) => `${key}@${version}${bytes === undefined ? '!' : ''}`,
    )
    const values = [...this.values].map(([key, value]) => `${key}=${[...value].join(',')}`)
    return [...pages, ...values].sort().join(' ')
  }
}

export function outlineOf(store: Store): string {
  const found: string[] = []
  for (const space of store.spaces()) {
    for (const { page, version } of store.pagesOf(space))
      found.push(`${space}/${page}@${version}${store.isDamaged(space, page) ? '!' : ''}`)
  }
  for (const [key, value] of store.list('')) found.push(`${key}=${[...value].join(',')}`)
  return found.sort().join(' ')
}

/** Every byte of every page, and nothing of those that are damaged. */
export async function assertHolds(store: Store, model: StoreModel): Promise<void> {
  assert.equal(outlineOf(store), model.outline())
  for (const [key, expected] of model.pages) {
    const [space = 0, page = 0] = key.split('/').map(Number)
    assert.equal(store.versionOf(spaceOf(space), pageOf(page)), expected.version)
    if (expected.bytes === undefined) {
      await assert.rejects(store.read(spaceOf(space), pageOf(page)), { code: 'damaged' }, key)
      continue
    }
    const found = await store.read(spaceOf(space), pageOf(page))
    assert.equal(found?.version, expected.version, key)
    assert.deepEqual(found.bytes, expected.bytes, key)
  }
  const damaged = [...model.pages].flatMap(([key, { bytes }]) => (bytes === undefined ? [key] : []))
  const listed = store.damage.map((found) => (found.kind === 'page' ? `${found.space}/${found.page}` : 'log'))
  assert.deepEqual(listed.sort(), damaged.sort())
}
