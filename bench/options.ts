import { parseArgs } from 'node:util'

export interface BenchOptions {
  readonly format: 'table' | 'json'
  /** The rows to measure; all of them where undefined. Their limits are measured in any case. */
  readonly rows: readonly string[] | undefined
  /** Rounds that count. */
  readonly rounds: number
  readonly warmUpRounds: number
  readonly budgetMs: number
  /** Where to write a CPU profile of each process. */
  readonly profileDirectory: string | undefined
  readonly directory: string | undefined
}

export const usage = `npm run bench [-- OPTIONS]
  --json            one JSON document on stdout instead of the table
  --rows NAME,...   these rows, and the limits they are held against
  --quick           fewer and shorter rounds: for a look, not for the record
  --directory DIR   where the data is written meanwhile; the system's directory for temporary files unless told
  --profile DIR     write a CPU profile of each process into DIR`

/** Throws a `TypeError` that says what is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      rows: { type: 'string' },
      quick: { type: 'boolean', default: false },
      directory: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  return {
    format: values.json ? 'json' : 'table',
    rows: values.rows?.split(','),
    ...(values.quick
      ? { rounds: 3, warmUpRounds: 1, budgetMs: 100 }
      : { rounds: 7, warmUpRounds: 4, budgetMs: 250 }),
    profileDirectory: values.profile,
    directory: values.directory,
  }
}
