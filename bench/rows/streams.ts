import type { Address, ByteRange, LockContext, Region } from '../../src/index.js'
import { present } from '../../src/stdx/assert.js'
import { homeRegion } from '../parts/home-region.js'
import type { Part } from '../process/part.js'
import type { Row } from '../row.js'
import type { Sample } from '../sample.js'
import { timeTransfer } from '../timing.js'

const streamBytes = 64 * 2 ** 20
/** What is locked at once. */
const pieceBytes = 4 * 2 ** 20
/** Pieces under way at a time. */
const aheadMax = 3

interface Actions {
  read(): Promise<Sample>
  write(): Promise<Sample>
}

export const streamPart: Part<Address, Actions> = {
  name: 'streams',
  create: async (host, address) => {
    const region = await host.site.region(address)
    const buffer = new Uint8Array(pieceBytes).fill(9)
    return {
      read: () => timeTransfer(streamBytes, () => readAll(region, buffer)),
      write: () => timeTransfer(streamBytes, () => writeAll(region, buffer)),
    }
  },
}

/** In order, with the next locks asked for already. */
async function readAll(region: Region, buffer: Uint8Array): Promise<void> {
  const asked: Promise<LockContext>[] = []
  for (const piece of pieces()) {
    asked.push(region.lock('read', piece))
    if (asked.length === aheadMax) await readNext(asked, buffer)
  }
  while (asked.length > 0) await readNext(asked, buffer)
}

async function readNext(asked: Promise<LockContext>[], buffer: Uint8Array): Promise<void> {
  const lock = await present(asked.shift(), 'some are asked for')
  lock.read(lock.offset, lock.length, buffer)
  await lock.unlock()
}

/** Piece by piece, the next ones while the first are on their way to the disk. */
async function writeAll(region: Region, buffer: Uint8Array): Promise<void> {
  const running: Promise<void>[] = []
  for (const piece of pieces()) {
    running.push(writePiece(region, piece, buffer))
    if (running.length === aheadMax) await running.shift()
  }
  await Promise.all(running)
}

async function writePiece(region: Region, piece: ByteRange, buffer: Uint8Array): Promise<void> {
  const lock = await region.lock('write', piece)
  lock.write(piece.offset, buffer)
  await lock.unlock()
}

function* pieces(): Generator<ByteRange> {
  for (let offset = 0; offset < streamBytes; offset += pieceBytes) yield { offset, length: pieceBytes }
}

/** 64 MiB that another node has written last, read in order: locks over 4 MiB each, three asked for at a time. */
export const streamRead = readRow('stream-read', 4 * 1024)
/** The same from a region of larger pages, as somebody would choose for such data. */
export const streamRead64k = readRow('stream-read-64k', 64 * 1024)

/** 64 MiB written whole from another node than their home, until durable there; the same locks. */
export const streamWrite = writeRow('stream-write', 4 * 1024)
export const streamWrite64k = writeRow('stream-write-64k', 64 * 1024)

function readRow(name: string, pageSize: number): Row {
  return {
    name,
    unit: 'MiB/s',
    limit: 'tcp-stream',
    open: async (stage) => {
      const { home, other } = await stage.pair()
      const writer = await home.create(homeRegion, undefined)
      const region = await writer.call('reserve', { bytes: streamBytes, pageSize })
      const reader = await other.create(streamPart, region)
      return {
        round: async () => {
          await writer.call('rewrite', region)
          return reader.call('read')
        },
      }
    },
  }
}

function writeRow(name: string, pageSize: number): Row {
  return {
    name,
    unit: 'MiB/s',
    limit: 'append-stream',
    open: async (stage) => {
      const { home, other } = await stage.pair()
      const region = await (
        await home.create(homeRegion, undefined)
      ).call('reserve', { bytes: streamBytes, pageSize })
      const writer = await other.create(streamPart, region)
      return { round: () => writer.call('write') }
    },
  }
}
