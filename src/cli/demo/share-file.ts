import { createHash } from 'node:crypto'
import { formatAddress } from '../../address/address.js'
import { Khazana } from '../../index.js'
import { KhazanaError } from '../../stdx/errors.js'
import { openInput } from '../input-file.js'
import type { ReadyNode } from '../ready.js'
import { readAll, writeAll } from '../transfer.js'

export interface ShareFileOptions {
  readonly file: string
  /** The node through which it is stored, and the one through which it is read. */
  readonly from: ReadyNode
  readonly to: ReadyNode
  readonly signal: AbortSignal
}

const MiB = 1024 * 1024
const pageSize = 64 * 1024

/** Stores a file through one node, reads it back through another, and compares. Throws `internal` where they differ. */
export async function shareFile(
  { file, from, to, signal }: ShareFileOptions,
  say: (line: string) => void,
): Promise<void> {
  await using input = await openInput(file, signal)
  await using writer = await Khazana.connect(from.socket, { signal })
  await using reader = await Khazana.connect(to.socket, { signal })

  say(
    `\n2. A file that only programs at ${from.name} have seen so far: ${file}, ${(input.bytes / MiB).toFixed(1)} MiB.`,
  )
  const storing = performance.now()
  const region = await writer.reserve(input.bytes, { pageSize, signal })
  await region.allocate(undefined, { signal })
  const original = createHash('sha256')
  await writeAll(region, 0, hashed(input.read(), original), { signal })
  say(
    `     stored through ${from.name} at address ${formatAddress(region.address)}, and safe on its disk: ${rate(input.bytes, storing)}`,
  )

  const reading = performance.now()
  const copy = createHash('sha256')
  const same = await reader.region(region.address, { signal })
  for await (const bytes of readAll(same, { offset: 0, length: input.bytes }, { signal })) copy.update(bytes)
  say(`     read back through ${to.name}, which has never seen it: ${rate(input.bytes, reading)}`)

  const [before, after] = [original.digest('hex'), copy.digest('hex')]
  if (before !== after)
    throw new KhazanaError('internal', `the file came back different: ${before} became ${after}`)
  say(`     both are the same, byte for byte: SHA-256 ${before.slice(0, 16)}...`)
}

async function* hashed(
  source: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const bytes of source) {
    hash.update(bytes)
    yield bytes
  }
}

function rate(bytes: number, startedMs: number): string {
  const seconds = (performance.now() - startedMs) / 1000
  return `${seconds.toFixed(2)} s, ${(bytes / MiB / seconds).toFixed(0)} MiB/s`
}
