/** What a round of measuring one row gave. */
export interface Sample {
  /** In the row's unit. */
  readonly value: number
  /** What one operation in a hundred exceeds, where operations are timed one by one. Microseconds. */
  readonly p99?: number
  /** What all nodes and clients said to each other, for each operation, where that was counted. */
  readonly messagesPerOperation?: number
}
