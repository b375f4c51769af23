import type { Row } from '../row.js'

/** The same page appended and flushed by so many processes at once, each to a file of its own, over plain sockets. */
export const replicatedAppends: readonly Row[] = [row(2, 'serial'), row(3, 'serial')]
/** 64 pages share one message, one write and one flush at each; for each page. */
export const replicatedAppends64: readonly Row[] = [row(2, 'grouped'), row(3, 'grouped')]

export function nameOfReplicatedAppends(copies: 2 | 3, action: 'serial' | 'grouped'): string {
  return `append-fdatasync-4k${action === 'grouped' ? '-64' : ''}-r${copies}`
}

function row(copies: 2 | 3, action: 'serial' | 'grouped'): Row {
  return {
    name: nameOfReplicatedAppends(copies, action),
    unit: 'us',
    limit: null,
    open: async (stage) => {
      const leader = await stage.rawReplicas(copies)
      return { round: (budgetMs) => leader.call(action, budgetMs) }
    },
  }
}
