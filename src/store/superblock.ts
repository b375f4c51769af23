import type { Checksum, Directory } from '../io/storage.js'
import { KhazanaError } from '../stdx/errors.js'
import { formatVersion } from './part-codec.js'

/**
 * The file that says that a directory is a store, and of what shape. `creating`: the first batch was not yet durable, so
 * there is nothing in it. It is text, for people to read.
 */
export interface Superblock {
  readonly state: 'creating' | 'ready'
  /** In the head of every part of the log. Random, so that nobody can make a page that passes for a part. */
  readonly storeId: bigint
  readonly segmentBytes: number
}

const fileName = 'store.json'
const newFileName = 'store.json.new'
const bytesMax = 4096

/** Undefined where there is none. Throws `damaged`; `bad-format` for a newer version. */
export async function readSuperblock(
  directory: Directory,
  checksum: Checksum,
): Promise<Superblock | undefined> {
  if (!(await directory.list()).includes(fileName)) return undefined
  const file = await directory.open(fileName, { create: false })
  try {
    const bytes = new Uint8Array(bytesMax)
    const length = await file.read(0, bytes)
    return parse(new TextDecoder().decode(bytes.subarray(0, length)), checksum)
  } finally {
    await file.close()
  }
}

/** Replaces the file atomically and durably. */
export async function writeSuperblock(
  directory: Directory,
  superblock: Superblock,
  checksum: Checksum,
): Promise<void> {
  const fields = fieldsOf(superblock)
  const text = JSON.stringify({ ...fields, checksum: checksumOf(fields, checksum) }, undefined, 2) + '\n'
  const bytes = new TextEncoder().encode(text)
  const file = await directory.open(newFileName, { create: true })
  try {
    await file.resize(bytes.length)
    await file.write(0, [bytes])
    await file.sync()
  } finally {
    await file.close()
  }
  await directory.rename(newFileName, fileName)
  await directory.sync()
}

interface Fields {
  readonly format: 'khazana store'
  readonly version: number
  readonly state: 'creating' | 'ready'
  readonly id: string
  readonly segmentBytes: number
}

function fieldsOf(superblock: Superblock): Fields {
  return {
    format: 'khazana store',
    version: formatVersion,
    state: superblock.state,
    id: superblock.storeId.toString(16).padStart(16, '0'),
    segmentBytes: superblock.segmentBytes,
  }
}

function checksumOf(fields: Fields, checksum: Checksum): number {
  return checksum(new TextEncoder().encode(JSON.stringify(fields)), 0)
}

function parse(text: string, checksum: Checksum): Superblock {
  const value = parseJson(text)
  if (value['format'] !== 'khazana store')
    throw new KhazanaError('damaged', `${fileName} is no store's description`)
  if (typeof value['version'] === 'number' && value['version'] !== formatVersion) {
    throw new KhazanaError(
      'bad-format',
      `the store has format version ${value['version']}; this program reads version ${formatVersion}`,
    )
  }
  const { state, id, segmentBytes } = value
  const isState = state === 'creating' || state === 'ready'
  if (!isState || typeof id !== 'string' || !/^[0-9a-f]{16}$/.test(id) || typeof segmentBytes !== 'number') {
    throw new KhazanaError('damaged', `${fileName} is damaged: a field is missing`)
  }
  const superblock: Superblock = { state, storeId: BigInt(`0x${id}`), segmentBytes }
  if (checksumOf(fieldsOf(superblock), checksum) !== value['checksum']) {
    throw new KhazanaError('damaged', `${fileName} is damaged: it fails its checksum`)
  }
  return superblock
}

function parseJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch (cause) {
    throw new KhazanaError('damaged', `${fileName} is damaged: it is no JSON`, { cause })
  }
  throw new KhazanaError('damaged', `${fileName} is damaged: it is no object`)
}
