import { KhazanaError } from '../../stdx/errors.js'

const fullDisk: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

/** What the operating system said of a file, as one of our errors. */
export function fileError(reason: unknown, what: string): KhazanaError {
  if (reason instanceof KhazanaError) return reason
  const code = reason instanceof Error && 'code' in reason ? String(reason.code) : ''
  const message = `${what}: ${reason instanceof Error ? reason.message : String(reason)}`
  return new KhazanaError(fullDisk.has(code) ? 'no-space' : 'storage-failed', message, { cause: reason })
}
