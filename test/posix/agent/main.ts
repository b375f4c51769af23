import { createInterface } from 'node:readline'
import { writeSync } from 'node:fs'
import { makeCalls } from './calls.js'
import { PosixError } from './posix-error.js'

/** A line to an agent. */
export interface AgentRequest {
  readonly call: string
  readonly args: readonly unknown[]
}

/** The line that answers it. `bug` is a mistake of the suite, and no answer of the file system. */
export type AgentAnswer =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'errno'; readonly errno: string }
  | { readonly kind: 'bug'; readonly message: string }

/**
 * An agent: makes system calls for the suite, one line of JSON each, and answers with a line. It is a process of its own
 * because the directory may be served by the very process that runs the suite, which would wait for itself; and because
 * a call may block, or kill.
 */
const calls = makeCalls() as unknown as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>

function answer({ call, args }: AgentRequest): AgentAnswer {
  try {
    const found = calls[call]
    if (found === undefined) return { kind: 'bug', message: `no call ${call}` }
    return { kind: 'value', value: found(...args) ?? null }
  } catch (error) {
    if (error instanceof PosixError) return { kind: 'errno', errno: error.errno }
    return { kind: 'bug', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const bytes = Buffer.from(`${JSON.stringify(answer(JSON.parse(line) as AgentRequest))}\n`)
  for (let done = 0; done < bytes.length;) done += writeAnswer(bytes.subarray(done))
})

/** Standard output is a socket that may be full for a moment. */
function writeAnswer(bytes: Uint8Array): number {
  try {
    return writeSync(1, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}
