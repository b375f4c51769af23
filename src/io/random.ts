export interface Random {
  /** Uniform in [0, 2^32). */
  uint32(): number
  bytes(length: number): Uint8Array
}
