/** What a lock request says of the caller's intention (paper 2). */
export type LockMode = 'read' | 'write'
