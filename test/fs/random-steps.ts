import type { FileKind } from '../../src/fs/layout/inode.js'
import type { Prng } from '../../src/stdx/prng.js'
import { modelRoot } from './model.js'
import type { Model, Step } from './model.js'

const kinds: readonly FileKind[] = [
  'file',
  'file',
  'file',
  'file',
  'directory',
  'directory',
  'symlink',
  'fifo',
  'socket',
  'character',
]
const files = ['file']

/** Draws steps that are mostly possible, on a model as it is at that moment. */
export class RandomSteps {
  readonly #random: Prng

  constructor(random: Prng) {
    this.#random = random
  }

  next(model: Model): Step {
    const random = this.#random
    const known = [...model.files.values()].filter(({ links }) => links > 0)
    const anyOf = (kind?: string): number => {
      const some = kind === undefined ? known : known.filter((one) => one.kind === kind)
      return some.length === 0 || random.chance(0.03) ? random.pick(known).id : random.pick(some).id
    }
    const directory = (): number => (random.chance(0.3) ? modelRoot : anyOf('directory'))
    const named = (): readonly [number, string] => {
      const parent = directory()
      const names = [...(model.files.get(parent)?.names.keys() ?? [])]
      return names.length > 0 && random.chance(0.9) ? [parent, random.pick(names)] : [parent, this.#name()]
    }
    const offset = (): number => (random.chance(0.6) ? random.below(6000) : random.below(70_000))
    const length = (): number => (random.chance(0.7) ? random.below(5000) : random.below(30_000))
    const draw = random.below(100)
    if (draw < 22) {
      const kind = random.pick(kinds)
      const target = `to/${'x'.repeat(random.chance(0.2) ? 3900 : random.below(40))}`
      return {
        op: 'create',
        parent: directory(),
        name: this.#name(),
        kind,
        mode: random.below(0o1000),
        target,
      }
    }
    if (draw < 26) return { op: 'link', file: anyOf(), parent: directory(), name: this.#name() }
    if (draw < 34) {
      const [parent, name] = named()
      return { op: 'unlink', parent, name }
    }
    if (draw < 38) {
      const [parent, name] = named()
      return { op: 'rmdir', parent, name }
    }
    if (draw < 41) {
      const [parent, name] = named()
      return { op: 'lookup', parent, name }
    }
    if (draw < 51) {
      const how = random.chance(0.7) ? 'replace' : random.pick(['no-replace', 'exchange'] as const)
      const to = random.chance(0.5) ? named() : ([directory(), this.#name()] as const)
      return { op: 'rename', from: named(), to, how }
    }
    const file = anyOf(random.pick(files))
    if (draw < 68)
      return {
        op: 'write',
        file,
        offset: offset(),
        length: length(),
        byte: 1 + random.below(255),
        isAppend: random.chance(0.3),
      }
    if (draw < 78) return { op: 'read', file, offset: offset(), length: length() }
    if (draw < 84) return { op: 'truncate', file, size: random.chance(0.3) ? 0 : offset() }
    if (draw < 87) return { op: 'punch', file, offset: offset(), length: 1 + length() }
    if (draw < 89) return { op: 'chmod', file: anyOf(), mode: random.below(0o10000) }
    if (draw < 92) return { op: 'list', file: directory() }
    const name = `user.${random.pick(['a', 'b', 'long'])}`
    if (draw < 95) return { op: 'set-xattr', file: anyOf(), name, value: 'v'.repeat(random.below(600)) }
    if (draw < 96) return { op: 'remove-xattr', file: anyOf(), name }
    return { op: 'stat', file: anyOf() }
  }

  #name(): string {
    const random = this.#random
    return random.chance(0.9)
      ? `n${random.below(60)}`
      : `${'long-'.repeat(1 + random.below(40))}${random.below(100)}`
  }
}
