/** What the machines of a run are to each other. Machines are numbered from 1. */
export interface Network extends AsyncDisposable {
  /** Whether `cut` can be done. */
  readonly canCut: boolean
  /** What a node on the machine is told to listen at: `HOST:PORT`, where port 0 is any free one that it keeps. */
  listenAt(machine: number): string
  /** The address of the machine, for others. */
  hostOf(machine: number): string
  /** How to run a program on the machine: what is to be put before the program and its arguments. */
  prefix(machine: number): readonly string[]
  /** From now on nothing that `from` sends arrives at `to`: no error either. */
  cut(from: number, to: number): Promise<void>
  /** The reverse. */
  mend(from: number, to: number): Promise<void>
}

/** All machines are this one. */
export class Loopback implements Network {
  readonly canCut = false

  listenAt(): string {
    return '127.0.0.1:0'
  }

  hostOf(): string {
    return '127.0.0.1'
  }

  prefix(): readonly string[] {
    return []
  }

  cut(): Promise<void> {
    return Promise.reject(new Error('one machine cannot be cut into two'))
  }

  mend(): Promise<void> {
    return Promise.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // There is nothing to put away.
  }
}
