import type { Address } from '../../src/address/address.js'
import { FsError } from '../../src/fs/errno.js'
import type { FileSystem } from '../../src/fs/file-system.js'
import { describeFile, modelRoot, text } from './model.js'
import type { Outcome, Step } from './model.js'
import { bytesOf, textOf } from './mounts.js'

/** Does the model's steps on a real file system, in whose answers files are told by the model's numbers. */
export class Player {
  readonly #addresses: Map<number, Address>
  readonly #numbers: Map<Address, number>

  constructor(root: Address) {
    this.#addresses = new Map([[modelRoot, root]])
    this.#numbers = new Map([[root, modelRoot]])
  }

  /** `next`: the number that a file gets that is made. */
  async play(fs: FileSystem, step: Step, next: number): Promise<Outcome> {
    try {
      return { seen: await this.#play(fs, step, next) }
    } catch (reason) {
      if (reason instanceof FsError && reason.code !== 'EIO') return { error: reason.code }
      throw reason
    }
  }

  async #play(fs: FileSystem, step: Step, next: number): Promise<unknown> {
    switch (step.op) {
      case 'create': {
        const { parent, name, kind, mode, target } = step
        const made = await fs.create(this.#at(parent), bytesOf(name), {
          ...{ kind, mode, uid: 0, gid: 0 },
          ...(kind === 'symlink' && { target: bytesOf(target) }),
        })
        this.#addresses.set(next, made.address)
        this.#numbers.set(made.address, next)
        return next
      }
      case 'link':
        return (await fs.link(this.#at(step.file), this.#at(step.parent), bytesOf(step.name))).links
      case 'lookup':
        return this.#numbers.get((await fs.lookup(this.#at(step.parent), bytesOf(step.name))).address)
      case 'unlink':
        return this.#numbers.get((await fs.unlink(this.#at(step.parent), bytesOf(step.name))).address)
      case 'rmdir':
        return this.#numbers.get(
          (await fs.removeDirectory(this.#at(step.parent), bytesOf(step.name))).address,
        )
      case 'rename': {
        const [from, to] = [step.from, step.to].map(([parent, name]) => ({
          parent: this.#at(parent),
          name: bytesOf(name),
        }))
        if (from !== undefined && to !== undefined) await fs.rename(from, to, step.how)
        return undefined
      }
      case 'write': {
        const { offset, length, byte, isAppend } = step
        return fs.write(this.#at(step.file), offset, new Uint8Array(length).fill(byte), { isAppend })
      }
      case 'read':
        return text(await fs.read(this.#at(step.file), step.offset, step.length))
      case 'truncate':
        return (await fs.setAttributes(this.#at(step.file), { size: step.size })).size
      case 'punch':
        return fs.punchHole(this.#at(step.file), step.offset, step.length)
      case 'chmod':
        return (await fs.setAttributes(this.#at(step.file), { mode: step.mode })).mode
      case 'list':
        return (await namesOf(fs, this.#at(step.file))).map(({ name }) => name).sort()
      case 'set-xattr':
        return fs.setXattr(this.#at(step.file), { name: step.name, value: bytesOf(step.value) })
      case 'remove-xattr':
        return fs.removeXattr(this.#at(step.file), step.name)
      case 'stat':
        return describeReal(fs, this.#at(step.file))
    }
  }

  #at(number: number): Address {
    const address = this.#addresses.get(number)
    if (address === undefined) throw new Error(`file ${number} was never made`)
    return address
  }
}

/** All that can be seen from the root: path by path, in the model's words. */
export async function pictureOf(fs: FileSystem): Promise<Map<string, string>> {
  const seen = new Map<string, string>()
  const visit = async (path: string, address: Address): Promise<void> => {
    seen.set(path, await describeReal(fs, address))
    if ((await fs.attributes(address)).kind !== 'directory') return
    const names = await namesOf(fs, address)
    for (const one of names.sort((a, b) => (a.name < b.name ? -1 : 1)))
      await visit(`${path}/${one.name}`, one.address)
  }
  await visit('', fs.root)
  return seen
}

async function namesOf(fs: FileSystem, directory: Address): Promise<{ name: string; address: Address }[]> {
  const found: { name: string; address: Address }[] = []
  for (let behind = -1; ;) {
    const entries = await fs.list(directory, behind)
    const last = entries.at(-1)
    if (last === undefined) return found
    found.push(...entries.map(({ name, address }) => ({ name: textOf(name), address })))
    behind = last.position
  }
}

async function describeReal(fs: FileSystem, address: Address): Promise<string> {
  const { kind, mode, links, size } = await fs.attributes(address)
  let what = ''
  if (kind === 'file') what = text(await fs.read(address, 0, size))
  if (kind === 'symlink') what = text(await fs.readLink(address))
  if (kind === 'directory') what = `${(await namesOf(fs, address)).length} names`
  const names = (await fs.listXattrs(address)).filter((name) => !name.startsWith('user.khazana.'))
  const xattrs = new Map<string, string>()
  for (const name of names) xattrs.set(name, textOf(await fs.getXattr(address, name)))
  return describeFile({ kind, mode, links, what, xattrs })
}
