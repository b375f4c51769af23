import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import type { Capability } from '../capabilities.js'
import { FALLOC, O, S } from '../flags.js'

const { KEEP_SIZE, PUNCH_HOLE, COLLAPSE_RANGE, ZERO_RANGE, INSERT_RANGE } = FALLOC

const zeros = (length: number): string => '\0'.repeat(length)

/** Modes that a file system need not have, and what may stand beside them. */
const modes: readonly (readonly [Capability, number])[] = [
  ['fallocate', 0],
  ['fallocate-keep-size', KEEP_SIZE],
  ['punch-hole', PUNCH_HOLE | KEEP_SIZE],
  ['zero-range', ZERO_RANGE],
  ['collapse-range', COLLAPSE_RANGE],
  ['insert-range', INSERT_RANGE],
]

export const fallocateTheme: PosixTheme = {
  name: 'fallocate',
  scenes: [
    scene(
      'lengthens a file, and keeps what is in it',
      async ({ a, same }) => {
        await a.writeFile('f', 'text')
        const fd = await a.open('f', O.RDWR)
        await a.fallocate(fd, 0, 2, 9_998)
        same(await a.readFile('f'), `text${zeros(9_996)}`)
        await a.fallocate(fd, 0, 0, 100)
        same((await a.fstat(fd)).size, 10_000)
        await a.fallocate(fd, 0, 20_000, 1)
        same((await a.fstat(fd)).size, 20_001)
        await a.posixFallocate(fd, 0, 30_000)
        same((await a.fstat(fd)).size, 30_000)
        same((await a.readFile('f')).slice(0, 4), 'text')
      },
      'fallocate',
    ),
    scene(
      'reserves blocks',
      async ({ a, holds }) => {
        const fd = await a.open('f', O.RDWR | O.CREAT)
        await a.fallocate(fd, 0, 0, 1_048_576)
        holds((await a.fstat(fd)).blocks * 512 >= 1_048_576, 'the blocks are there')
      },
      'fallocate',
      'counts-blocks',
    ),
    scene(
      'with KEEP_SIZE leaves the size',
      async (bed) => {
        const { a, same, holds } = bed
        await a.writeFile('f', 'text')
        const fd = await a.open('f', O.RDWR)
        await a.fallocate(fd, KEEP_SIZE, 0, 1_048_576)
        same((await a.fstat(fd)).size, 4)
        same(await a.readFile('f'), 'text')
        if (bed.has('counts-blocks')) holds((await a.fstat(fd)).blocks * 512 >= 1_048_576, 'blocks are there')
      },
      'fallocate-keep-size',
    ),
    scene(
      'with PUNCH_HOLE leaves zeros, of whole blocks and of parts',
      async (bed) => {
        const { a, same, holds } = bed
        const text = 'x'.repeat(100_000)
        for (const [offset, length] of [
          [0, 4096],
          [4096, 65_536],
          [5_000, 10],
          [4_000, 200],
          [10_001, 50_001],
          [99_000, 5_000],
          [200_000, 10],
        ] as const) {
          await a.writeFile('f', text)
          const fd = await a.open('f', O.RDWR)
          await a.fallocate(fd, PUNCH_HOLE | KEEP_SIZE, offset, length)
          const end = Math.min(text.length, offset + length)
          const expected = `${text.slice(0, offset)}${zeros(Math.max(0, end - offset))}${text.slice(end)}`
          same((await a.readFile('f')) === expected, true, `${length} at ${offset}`)
          await a.close(fd)
        }
        const fd = await a.open('g', O.RDWR | O.CREAT)
        await a.write(fd, 'x'.repeat(1_048_576))
        await a.fsync(fd)
        const { blocks } = await a.fstat(fd)
        await a.fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 0, 524_288)
        if (bed.has('counts-blocks')) holds((await a.fstat(fd)).blocks < blocks, 'blocks are given back')
      },
      'punch-hole',
    ),
    scene(
      'with ZERO_RANGE writes zeros, and lengthens unless told to keep',
      async ({ a, same }) => {
        await a.writeFile('f', 'x'.repeat(20_000))
        const fd = await a.open('f', O.RDWR)
        await a.fallocate(fd, ZERO_RANGE, 100, 9_000)
        same(await a.readFile('f'), `${'x'.repeat(100)}${zeros(9_000)}${'x'.repeat(10_900)}`)
        await a.fallocate(fd, ZERO_RANGE | KEEP_SIZE, 19_990, 1_000)
        same((await a.fstat(fd)).size, 20_000)
        same((await a.readFile('f')).slice(19_980), `${'x'.repeat(10)}${zeros(10)}`)
        await a.fallocate(fd, ZERO_RANGE, 19_000, 2_000)
        same((await a.fstat(fd)).size, 21_000)
      },
      'zero-range',
    ),
    scene(
      'with COLLAPSE_RANGE takes blocks out',
      async ({ a, same, fails }) => {
        const { bsize } = await a.statfs('.')
        await a.writeFile('f', `${'a'.repeat(bsize)}${'b'.repeat(bsize)}${'c'.repeat(bsize)}`)
        const fd = await a.open('f', O.RDWR)
        await a.fallocate(fd, COLLAPSE_RANGE, bsize, bsize)
        same(await a.readFile('f'), `${'a'.repeat(bsize)}${'c'.repeat(bsize)}`)
        await fails(a.fallocate(fd, COLLAPSE_RANGE, 1, bsize), 'EINVAL')
        await fails(a.fallocate(fd, COLLAPSE_RANGE, bsize, bsize), 'EINVAL')
        await fails(a.fallocate(fd, COLLAPSE_RANGE | KEEP_SIZE, 0, bsize), 'EINVAL', 'EOPNOTSUPP')
      },
      'collapse-range',
    ),
    scene(
      'with INSERT_RANGE makes room',
      async ({ a, same, fails }) => {
        const { bsize } = await a.statfs('.')
        await a.writeFile('f', `${'a'.repeat(bsize)}${'b'.repeat(bsize)}`)
        const fd = await a.open('f', O.RDWR)
        await a.fallocate(fd, INSERT_RANGE, bsize, bsize)
        same(await a.readFile('f'), `${'a'.repeat(bsize)}${zeros(bsize)}${'b'.repeat(bsize)}`)
        await fails(a.fallocate(fd, INSERT_RANGE, 1, bsize), 'EINVAL')
        await fails(a.fallocate(fd, INSERT_RANGE, 3 * bsize, bsize), 'EINVAL')
      },
      'insert-range',
    ),
    scene('says EOPNOTSUPP for modes that are not there, and changes nothing', async (bed) => {
      const { a, fails, same } = bed
      await a.writeFile('f', 'x'.repeat(16_384))
      const fd = await a.open('f', O.RDWR)
      for (const [capability, mode] of modes) {
        if (!bed.has(capability)) await fails(a.fallocate(fd, mode, 4_096, 4_096), 'EOPNOTSUPP')
      }
      await fails(a.fallocate(fd, PUNCH_HOLE, 0, 4_096), 'EOPNOTSUPP', 'EINVAL')
      await fails(a.fallocate(fd, PUNCH_HOLE | ZERO_RANGE | KEEP_SIZE, 0, 4_096), 'EOPNOTSUPP', 'EINVAL')
      await fails(a.fallocate(fd, 0x1000, 0, 4_096), 'EOPNOTSUPP', 'EINVAL')
      same(await a.readFile('f'), 'x'.repeat(16_384))
    }),
    scene(
      'refuses ranges and descriptors that make no sense',
      async (bed) => {
        const { a, fails } = bed
        await a.writeFile('f', 'text')
        await a.mkdir('dir')
        const fd = await a.open('f', O.RDWR)
        await fails(a.fallocate(fd, 0, -1, 10), 'EINVAL')
        await fails(a.fallocate(fd, 0, 0, 0), 'EINVAL')
        await fails(a.fallocate(fd, 0, 0, -5), 'EINVAL')
        await fails(a.posixFallocate(fd, -1, 10), 'EINVAL')
        await fails(a.posixFallocate(fd, 0, 0), 'EINVAL')
        await fails(a.fallocate(await a.open('f', O.RDONLY), 0, 0, 10), 'EBADF')
        await fails(a.fallocate(await a.open('dir', O.RDONLY), 0, 0, 10), 'EBADF', 'EISDIR')
        if (bed.has('fifos')) {
          await a.mknod('fifo', S.IFIFO | 0o666)
          await fails(a.fallocate(await a.open('fifo', O.RDWR), 0, 0, 10), 'ESPIPE')
        }
      },
      'fallocate',
    ),
  ],
}
