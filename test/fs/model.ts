import { FsError } from '../../src/fs/errno.js'
import type { ErrnoName } from '../../src/fs/errno.js'
import type { FileKind } from '../../src/fs/layout/inode.js'

/** A file of the model. */
interface ModelFile {
  readonly id: number
  readonly kind: FileKind
  mode: number
  uid: number
  gid: number
  links: number
  bytes: Uint8Array
  parent: number
  readonly names: Map<string, number>
  readonly xattrs: Map<string, string>
}

/** What a random operation is. Files are named by their numbers in the model. */
export type Step =
  | {
      readonly op: 'create'
      readonly parent: number
      readonly name: string
      readonly kind: FileKind
      readonly mode: number
      readonly target: string
    }
  | { readonly op: 'link'; readonly file: number; readonly parent: number; readonly name: string }
  | { readonly op: 'unlink' | 'rmdir' | 'lookup'; readonly parent: number; readonly name: string }
  | {
      readonly op: 'rename'
      readonly from: readonly [number, string]
      readonly to: readonly [number, string]
      readonly how: 'replace' | 'no-replace' | 'exchange'
    }
  | {
      readonly op: 'write'
      readonly file: number
      readonly offset: number
      readonly length: number
      readonly byte: number
      readonly isAppend: boolean
    }
  | { readonly op: 'read'; readonly file: number; readonly offset: number; readonly length: number }
  | { readonly op: 'truncate'; readonly file: number; readonly size: number }
  | { readonly op: 'punch'; readonly file: number; readonly offset: number; readonly length: number }
  | { readonly op: 'chmod'; readonly file: number; readonly mode: number }
  | { readonly op: 'list'; readonly file: number }
  | { readonly op: 'set-xattr'; readonly file: number; readonly name: string; readonly value: string }
  | { readonly op: 'remove-xattr'; readonly file: number; readonly name: string }
  | { readonly op: 'stat'; readonly file: number }

/** What a step comes to: an error, or what is seen. Files are told by their numbers. */
export type Outcome = { readonly error: ErrnoName } | { readonly seen: unknown }

export const modelRoot = 0

/** A file system as simple as can be, to judge the real one by. */
export class Model {
  readonly files = new Map<number, ModelFile>()
  #next = 1

  constructor() {
    this.files.set(modelRoot, newFile(modelRoot, 'directory', 0o755, modelRoot))
  }

  apply(step: Step): Outcome {
    try {
      return { seen: this.#apply(step) }
    } catch (reason) {
      if (reason instanceof FsError) return { error: reason.code }
      throw reason
    }
  }

  /** All that can be seen from the root: path by path. */
  picture(): Map<string, string> {
    const seen = new Map<string, string>()
    const visit = (path: string, id: number): void => {
      const file = this.#file(id)
      seen.set(path, describe(file))
      for (const name of [...file.names.keys()].sort()) visit(`${path}/${name}`, file.names.get(name) ?? -1)
    }
    visit('', modelRoot)
    return seen
  }

  #apply(step: Step): unknown {
    switch (step.op) {
      case 'create': {
        const parent = this.#directory(step.parent)
        if (parent.links === 0) throw fail('ENOENT')
        if (parent.names.has(step.name)) throw fail('EEXIST')
        const id = this.#next++
        const inherited = step.kind === 'directory' ? parent.mode & 0o2000 : 0
        const file = newFile(
          id,
          step.kind,
          step.kind === 'symlink' ? 0o777 : step.mode | inherited,
          parent.id,
        )
        if (step.kind === 'symlink') file.bytes = new TextEncoder().encode(step.target)
        if (step.kind === 'directory') parent.links += 1
        this.files.set(id, file)
        parent.names.set(step.name, id)
        return id
      }
      case 'link': {
        const parent = this.#directory(step.parent)
        if (parent.links === 0) throw fail('ENOENT')
        if (parent.names.has(step.name)) throw fail('EEXIST')
        const file = this.#file(step.file)
        if (file.kind === 'directory') throw fail('EPERM')
        if (file.links === 0) throw fail('ENOENT')
        file.links += 1
        parent.names.set(step.name, file.id)
        return file.links
      }
      case 'lookup': {
        const id = this.#directory(step.parent).names.get(step.name)
        if (id === undefined) throw fail('ENOENT')
        return id
      }
      case 'unlink': {
        const parent = this.#directory(step.parent)
        if (parent.links === 0) throw fail('ENOENT')
        const file = this.#named(parent, step.name)
        if (file.kind === 'directory') throw fail('EISDIR')
        parent.names.delete(step.name)
        file.links -= 1
        return file.id
      }
      case 'rmdir': {
        const parent = this.#directory(step.parent)
        if (parent.links === 0) throw fail('ENOENT')
        const file = this.#named(parent, step.name)
        if (file.kind !== 'directory') throw fail('ENOTDIR')
        if (file.names.size > 0) throw fail('ENOTEMPTY')
        parent.names.delete(step.name)
        parent.links -= 1
        file.links = 0
        return file.id
      }
      case 'rename':
        return this.#rename(step)
      case 'write': {
        const file = this.#withBytes(step.file)
        const start = step.isAppend ? file.bytes.length : step.offset
        if (step.length > 0 && start + step.length > file.bytes.length)
          file.bytes = resized(file.bytes, start + step.length)
        file.bytes.fill(step.byte, start, start + step.length)
        return start
      }
      case 'read':
        return text(this.#withBytes(step.file).bytes.subarray(step.offset, step.offset + step.length))
      case 'truncate': {
        const file = this.#file(step.file)
        if (file.kind === 'directory') throw fail('EISDIR')
        if (file.kind !== 'file') throw fail('EINVAL')
        file.bytes = resized(file.bytes, step.size)
        return step.size
      }
      case 'punch': {
        const file = this.#withBytes(step.file)
        file.bytes.fill(0, step.offset, step.offset + step.length)
        return undefined
      }
      case 'chmod':
        this.#file(step.file).mode = step.mode
        return step.mode
      case 'list':
        return [...this.#directory(step.file).names.keys()].sort()
      case 'set-xattr':
        this.#file(step.file).xattrs.set(step.name, step.value)
        return undefined
      case 'remove-xattr':
        if (!this.#file(step.file).xattrs.delete(step.name)) throw fail('ENODATA')
        return undefined
      case 'stat':
        return describe(this.#file(step.file))
    }
  }

  #rename({ from, to, how }: Extract<Step, { op: 'rename' }>): unknown {
    const [source, target] = [this.#directory(from[0]), this.#directory(to[0])]
    if (source.links === 0 || target.links === 0) throw fail('ENOENT')
    const moved = this.#named(source, from[1])
    const replacedId = target.names.get(to[1])
    const replaced = replacedId === undefined ? undefined : this.#file(replacedId)
    if (how === 'no-replace' && replaced !== undefined) throw fail('EEXIST')
    if (how === 'exchange' && replaced === undefined) throw fail('ENOENT')
    if (source !== target) {
      if (moved.kind === 'directory' && this.#isAbove(moved.id, target.id)) throw fail('EINVAL')
      if (how === 'exchange' && replaced?.kind === 'directory' && this.#isAbove(replaced.id, source.id))
        throw fail('EINVAL')
    }
    if (replaced === moved) return undefined
    if (how === 'exchange' && replaced !== undefined) {
      source.names.set(from[1], replaced.id)
      target.names.set(to[1], moved.id)
      for (const [file, old, parent] of [
        [moved, source, target],
        [replaced, target, source],
      ] as const) {
        if (file.kind !== 'directory') continue
        file.parent = parent.id
        old.links -= 1
        parent.links += 1
      }
      return undefined
    }
    if (replaced !== undefined) {
      if (moved.kind === 'directory' && replaced.kind !== 'directory') throw fail('ENOTDIR')
      if (moved.kind !== 'directory' && replaced.kind === 'directory') throw fail('EISDIR')
      if (replaced.names.size > 0) throw fail('ENOTEMPTY')
      if (replaced.kind === 'directory') {
        target.links -= 1
        replaced.links = 0
      } else replaced.links -= 1
    }
    source.names.delete(from[1])
    target.names.set(to[1], moved.id)
    if (moved.kind === 'directory') {
      moved.parent = target.id
      source.links -= 1
      target.links += 1
    }
    return undefined
  }

  #isAbove(above: number, below: number): boolean {
    for (let at = below; ; at = this.#file(at).parent) {
      if (at === above) return true
      if (at === modelRoot) return false
    }
  }

  #file(id: number): ModelFile {
    const file = this.files.get(id)
    if (file === undefined) throw new Error(`no file ${id}`)
    return file
  }

  #directory(id: number): ModelFile {
    const file = this.#file(id)
    if (file.kind !== 'directory') throw fail('ENOTDIR')
    return file
  }

  #named(parent: ModelFile, name: string): ModelFile {
    const id = parent.names.get(name)
    if (id === undefined) throw fail('ENOENT')
    return this.#file(id)
  }

  #withBytes(id: number): ModelFile {
    const file = this.#file(id)
    if (file.kind === 'directory') throw fail('EISDIR')
    if (file.kind !== 'file') throw fail('EINVAL')
    return file
  }
}

function newFile(id: number, kind: FileKind, mode: number, parent: number): ModelFile {
  const links = kind === 'directory' ? 2 : 1
  return {
    id,
    kind,
    mode,
    uid: 0,
    gid: 0,
    links,
    bytes: new Uint8Array(0),
    parent,
    names: new Map(),
    xattrs: new Map(),
  }
}

function describe({ kind, mode, links, bytes, names, xattrs }: ModelFile): string {
  const what =
    kind === 'directory' ? `${names.size} names` : kind === 'file' || kind === 'symlink' ? text(bytes) : ''
  return describeFile({ kind, mode, links, what, xattrs })
}

/** The words of the model and of the real one. */
export function describeFile(file: {
  readonly kind: FileKind
  readonly mode: number
  readonly links: number
  readonly what: string
  readonly xattrs: ReadonlyMap<string, string>
}): string {
  const xattrs = [...file.xattrs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
  return `${file.kind} ${file.mode.toString(8)} links ${file.links} ${file.what} ${xattrs.join(' ')}`.trimEnd()
}

/** Bytes as runs of equal ones: `3x0 5x7`. */
export function text(bytes: Uint8Array): string {
  const runs: string[] = []
  for (let at = 0; at < bytes.length;) {
    let end = at + 1
    while (end < bytes.length && bytes[end] === bytes[at]) end += 1
    runs.push(`${end - at}x${bytes[at] ?? 0}`)
    at = end
  }
  return runs.join(' ')
}

function resized(bytes: Uint8Array, size: number): Uint8Array {
  const made = new Uint8Array(size)
  made.set(bytes.subarray(0, size))
  return made
}

function fail(code: ErrnoName): FsError {
  return new FsError(code, code)
}
