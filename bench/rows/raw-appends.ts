import type { Row } from '../row.js'

/** A write to the end of a file that has its blocks, then `fdatasync`: both asynchronous, as a server must. */
export const append4k: Row = row('append-fdatasync-4k', 'flushed')
/** The same in one system call: the quickest way to the disk that does not block the process. */
export const appendDurable4k: Row = row('append-dsync-4k', 'durable')
/** 64 pages share one write and one flush; for each page. */
export const append4k64: Row = row('append-fdatasync-4k-64', 'grouped')

function row(name: string, action: 'flushed' | 'durable' | 'grouped'): Row {
  return {
    name,
    unit: 'us',
    limit: null,
    open: async (stage) => {
      const file = await stage.rawFile()
      return { round: (budgetMs) => file.call(action, budgetMs) }
    },
  }
}

/** 64 MiB in pieces of 4 MiB, each flushed. */
export const appendStream: Row = {
  name: 'append-stream',
  unit: 'MiB/s',
  limit: null,
  open: async (stage) => {
    const file = await stage.rawFile()
    return { round: () => file.call('stream') }
  },
}
