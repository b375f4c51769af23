/** How much is done in a run. */
export interface Amounts {
  readonly rounds: number
  /** Of the file that is read and written at random. */
  readonly fileBytes: number
  /** Of the file that is written and read from end to end. */
  readonly streamBytes: number
  /** Of the files that the other mount reads for the first time. */
  readonly otherBytes: number
  /** For what is repeated for a time. */
  readonly budgetMs: number
  /** Empty files that are created, looked at, renamed and removed. */
  readonly files: number
  /** Files that are written and flushed, one after the other. */
  readonly syncedFiles: number
  /** Of the tree that is unpacked and committed. */
  readonly treeFiles: number
  readonly transactions: number
  /** Writes, and names, that the other mount waits for. */
  readonly sightings: number
}

const mebibyte = 2 ** 20

export const amounts: Readonly<Record<'full' | 'quick', Amounts>> = {
  full: {
    rounds: 3,
    fileBytes: 64 * mebibyte,
    streamBytes: 128 * mebibyte,
    otherBytes: 32 * mebibyte,
    budgetMs: 2000,
    files: 2000,
    syncedFiles: 500,
    treeFiles: 2277,
    transactions: 300,
    sightings: 500,
  },
  quick: {
    rounds: 1,
    fileBytes: 4 * mebibyte,
    streamBytes: 8 * mebibyte,
    otherBytes: 2 * mebibyte,
    budgetMs: 100,
    files: 100,
    syncedFiles: 20,
    treeFiles: 50,
    transactions: 10,
    sightings: 20,
  },
}
