import type { FileAddress } from '../../fs/attributes.js'

/** A file that the kernel knows. */
export interface KnownFile {
  /** The number that it has for the kernel. */
  readonly node: number
  readonly address: FileAddress
  readonly ino: number
  /** How often the kernel was told of it, and has not forgotten it. */
  lookups: number
  /** Whether it has no name any more, and stays for as long as the kernel knows it: it may be some program's current directory. */
  isKept: boolean
  /** Whether it is no more, as another file has its address by now: the kernel has not forgotten it yet. */
  isPast: boolean
}

export const rootNode = 1

/** Numbers that files have for the kernel, for as long as it knows them. None is given twice. */
export class NodeTable {
  readonly #byNode = new Map<number, KnownFile>()
  readonly #byAddress = new Map<FileAddress, KnownFile>()
  #next = rootNode + 1

  constructor(root: FileAddress) {
    const file = { node: rootNode, address: root, ino: 1, lookups: 1, isKept: false, isPast: false }
    this.#byNode.set(rootNode, file)
    this.#byAddress.set(root, file)
  }

  get(node: number): KnownFile | undefined {
    return this.#byNode.get(node)
  }

  /** Undefined for what the kernel does not know. */
  at(address: FileAddress): KnownFile | undefined {
    return this.#byAddress.get(address)
  }

  /** The kernel is told of the file, once more. Addresses of files that are gone come again, their numbers do not. */
  tell(address: FileAddress, ino: number): KnownFile {
    const known = this.#byAddress.get(address)
    if (known?.ino === ino) {
      known.lookups += 1
      return known
    }
    if (known !== undefined) known.isPast = true
    const file = { node: this.#next++, address, ino, lookups: 1, isKept: false, isPast: false }
    this.#byNode.set(file.node, file)
    this.#byAddress.set(address, file)
    return file
  }

  /** The kernel has forgotten it so often. Answers the file when it does not know it any more. */
  forget(node: number, count: number): KnownFile | undefined {
    const file = this.#byNode.get(node)
    if (file === undefined || node === rootNode) return undefined
    file.lookups -= count
    if (file.lookups > 0) return undefined
    this.#byNode.delete(node)
    if (!file.isPast) this.#byAddress.delete(file.address)
    return file
  }
}
