/**
 * What a lock request says of the caller's intention (paper 2). `write-shared`: to write beside others who write other
 * bytes of the same pages; protocols that know no such thing take it for `write`.
 */
export type LockMode = 'read' | 'write' | 'write-shared'

export const lockModes: readonly LockMode[] = Object.freeze(['read', 'write', 'write-shared'])

export function mayWrite(mode: LockMode): boolean {
  return mode !== 'read'
}
