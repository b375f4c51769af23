import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import type { FileAttributes } from '../../src/fs/attributes.js'
import { Listing } from '../../src/fuse/front/listing.js'
import type { ListedFileSystem } from '../../src/fuse/front/listing.js'
import { bytesOf } from '../fs/mounts.js'

const entryBytes = 128
const sizeBytes = 128 * 1024

/** A directory with so many files, of which some are in memory, and nobody is told of what is not looked at. */
class Scene {
  readonly brought: number[] = []
  isLookedInto = false
  readonly listing: Listing

  constructor(files: number, isAtHand: (ino: number) => boolean) {
    const time = { seconds: 0, nanoseconds: 0 }
    const attributes = (address: Address): FileAttributes => ({
      ...{ address, ino: Number(address), kind: 'file', mode: 0o644, links: 1, uid: 0, gid: 0, size: 0 },
      ...{
        storedBytes: 0,
        device: 0,
        accessed: time,
        modified: time,
        changed: time,
        born: time,
        revision: 1,
      },
    })
    const fs: ListedFileSystem = {
      attributes: (address) => {
        if (address > 1n && !isAtHand(Number(address))) this.brought.push(Number(address))
        return Promise.resolve(attributes(address))
      },
      attributesAtHand: (address) => (isAtHand(Number(address)) ? attributes(address) : undefined),
      parentOf: (address) => Promise.resolve(attributes(address)),
      list: (_, behind) =>
        Promise.resolve(
          Array.from({ length: Math.min(500, files - behind - 1) }, (_, index) => {
            const position = behind + 1 + index
            const ino = position + 2
            return { name: bytesOf(`f${ino}`), kind: 'file', ino, address: BigInt(ino) as Address, position }
          }),
        ),
    }
    const timeSent = { seconds: 0, nanoseconds: 0 }
    this.listing = new Listing({
      fs,
      directory: 1n as Address,
      stamp: () => undefined,
      isLookedInto: () => this.isLookedInto,
      tell: ({ file }) => ({
        ...{ node: file.ino, generation: 0, entryValidMs: 0, attributesValidMs: 0 },
        attributes: {
          ...{ node: file.ino, size: 0, blocks: 0, atime: timeSent, mtime: timeSent, ctime: timeSent },
          ...{ mode: file.mode, nlink: 1, uid: 0, gid: 0, rdev: 0, blockSize: 4096 },
        },
      }),
    })
  }

  /** Reads on to the end. Which names came with their file, and which without. */
  async readAll(): Promise<{ readonly files: number[]; readonly names: number[] }> {
    const files: number[] = []
    const names: number[] = []
    for (let offset = 0; ;) {
      const bytes = await this.listing.namesAndFiles(offset, sizeBytes)
      if (bytes.length === 0) return { files, names }
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      for (let at = 0; at < bytes.length;) {
        const node = Number(view.getBigUint64(at, true))
        const ino = Number(view.getBigUint64(at + entryBytes, true))
        offset = Number(view.getBigUint64(at + entryBytes + 8, true))
        const nameBytes = view.getUint32(at + entryBytes + 16, true)
        const name = Buffer.from(
          bytes.subarray(at + entryBytes + 24, at + entryBytes + 24 + nameBytes),
        ).toString()
        at += entryBytes + ((24 + nameBytes + 7) & ~7)
        if (name === '.' || name === '..') {
          assert.equal(node, 0)
          continue
        }
        assert.equal(name, `f${ino}`)
        if (node === 0) names.push(ino)
        else {
          assert.equal(node, ino)
          files.push(ino)
        }
      }
    }
  }
}

function upTo(last: number): number[] {
  return Array.from({ length: last - 1 }, (_, index) => index + 2)
}

describe('a listing with files', () => {
  it('tells of each file, in order, wherever it is, where there are not very many', async () => {
    const scene = new Scene(3000, (ino) => ino % 3 === 0)
    assert.deepEqual(await scene.readAll(), { files: upTo(3001), names: [] })
    assert.equal(scene.brought.length, 2000)
  })

  it('brings no more files of a large directory from elsewhere that nobody asks for, and tells of those at hand', async () => {
    const scene = new Scene(20_000, (ino) => ino % 2 === 0)
    const { files, names } = await scene.readAll()
    assert.deepEqual(
      [...files, ...names].sort((a, b) => a - b),
      upTo(20_001),
    )
    assert.ok(scene.brought.length < 4000, `${scene.brought.length} were brought`)
    assert.ok(names.every((ino) => ino % 2 === 1))
    assert.equal(files.length, 10_000 + scene.brought.length)
  })

  it('brings all of them where names are looked up meanwhile', async () => {
    const scene = new Scene(20_000, () => false)
    scene.isLookedInto = true
    assert.deepEqual(await scene.readAll(), { files: upTo(20_001), names: [] })
  })
})
