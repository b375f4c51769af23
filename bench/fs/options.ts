import { parseArgs } from 'node:util'

export interface FsBenchOptions {
  /** A directory of the file system to measure. Where undefined, one of Khazana's own is made and mounted for the run. */
  readonly mount: string | undefined
  /** The same directory, mounted at another node. */
  readonly other: string | undefined
  /** Where the plain directory is made, and what nodes of the run's own keep; beside the project where undefined. */
  readonly plain: string | undefined
  /** The rows to report; all of them where undefined. */
  readonly rows: readonly string[] | undefined
  readonly amount: 'full' | 'quick'
  /** Overrides what the amount says. */
  readonly rounds: number | undefined
  readonly format: 'table' | 'json'
  /** Of the file system that is made for the run. */
  readonly minReplicas: number
  /** Where nodes and mounts of the run's own write CPU profiles. */
  readonly profileDirectory: string | undefined
}

const nodesMax = 7

export const usage = `npm run bench:fs [-- OPTIONS]

Measures a mounted file system, any one, and in turn with it a plain directory on the local disk. Without --mount it
starts two Khazana nodes on the loopback, makes a file system and mounts it at both; all of it is gone at the end.

  --mount DIR         a directory of the file system to measure
  --other DIR         the same directory through a mount at another node, for the rows of two mounts
  --plain DIR         where to make the plain directory; beside the project unless told
  --rows NAME,...     these rows alone
  --quick             fewer and smaller rounds: for a look, not for the record
  --rounds N          so many rounds; the median is shown
  --json              one JSON document on stdout, with all samples, instead of the table
  --min-replicas N    without --mount: on how many nodes all is durable, and so many nodes run (default: 1, and 2 nodes)
  --profile DIR       without --mount: write a CPU profile of each node and of each mount into DIR

Root drops the kernel's caches for the rows that are cold (/proc/sys/vm/drop_caches), which slows whatever else runs on
the machine; others advise the kernel file by file. fio is used for raw input and output where it is installed, and
git, tar and sqlite3 have rows of their own. The figures of other file systems beside ours were not measured in this run.`

/** Throws a `TypeError` that says what is wrong. */
export function parseOptions(args: readonly string[]): FsBenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      mount: { type: 'string' },
      other: { type: 'string' },
      plain: { type: 'string' },
      rows: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      json: { type: 'boolean', default: false },
      'min-replicas': { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { mount, other, profile } = values
  const minReplicas = values['min-replicas']
  if (mount === undefined && other !== undefined) throw new TypeError('--other goes with --mount')
  if (mount !== undefined && minReplicas !== undefined) {
    throw new TypeError('--min-replicas is for the file system that is made without --mount')
  }
  if (mount !== undefined && profile !== undefined) {
    throw new TypeError('--profile is for the nodes that are started without --mount')
  }
  return {
    mount,
    other,
    plain: values.plain,
    rows: values.rows?.split(','),
    amount: values.quick ? 'quick' : 'full',
    rounds: values.rounds === undefined ? undefined : numberOf('--rounds', values.rounds, 1000),
    format: values.json ? 'json' : 'table',
    minReplicas: minReplicas === undefined ? 1 : numberOf('--min-replicas', minReplicas, nodesMax),
    profileDirectory: profile,
  }
}

function numberOf(option: string, text: string, max: number): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= 1 && number <= max) return number
  throw new TypeError(`${option} takes a whole number from 1 to ${max}, not "${text}"`)
}
