/**
 * One directory of plain files, as a log needs it. What `sync` has not confirmed may be lost or torn by a crash, in
 * any order of sectors.
 */
export interface Directory {
  /** For people. */
  readonly path: string
  /** Names of the files, sorted. */
  list(): Promise<string[]>
  /** Opens a file for reading and writing. Throws `bad-format` where it is missing and `create` is not set. */
  open(name: string, options: { readonly create: boolean }): Promise<File>
  remove(name: string): Promise<void>
  /** Atomic; replaces `to`. Durable after `sync`. */
  rename(from: string, to: string): Promise<void>
  /** Makes creations, renames and removals durable. */
  sync(): Promise<void>
  /** Takes the directory for this process until released or dead. Throws `directory-in-use`. */
  lock(): Promise<DirectoryLock>
}

export interface DirectoryLock {
  release(): Promise<void>
}

export interface File {
  /** Bytes; as of the last write or resize by this handle. */
  size(): number
  /** Fills `into` from `position`; the number of bytes read, short only at the end of the file. */
  read(position: number, into: Uint8Array): Promise<number>
  /** Writes the chunks one after the other. Throws `no-space` when the disk is full: part may have been written. */
  write(position: number, chunks: readonly Uint8Array[]): Promise<void>
  /** Makes all that was written durable (fdatasync). Throws `storage-failed`: nothing may be assumed afterwards. */
  sync(): Promise<void>
  /** Cuts or extends (with zeros that occupy the disk, so that later writes cannot fail for space). */
  resize(bytes: number): Promise<void>
  close(): Promise<void>
}

/** CRC-32 (IEEE 802.3) of the bytes, continuing from `seed` (0 to start): an unsigned 32-bit number. */
export type Checksum = (bytes: Uint8Array, seed: number) => number
