import { KhazanaError } from '../../stdx/errors.js'

/** The values of one key by number, for cells that have room for a number only. Numbers count up from 1. */
export class NumberedValues {
  readonly #countMax: number
  readonly #values: string[] = []

  constructor(countMax: number) {
    this.#countMax = countMax
  }

  get isFull(): boolean {
    return this.#values.length === this.#countMax
  }

  /** The number of a value that was not given before. */
  add(value: string): number {
    if (this.isFull) throw new KhazanaError('internal', `there are ${this.#countMax} numbers, all given out`)
    return this.#values.push(value)
  }

  /** A number that was never given has a value, too: one that nobody wrote. */
  valueOf(number: number): string {
    return this.#values[number - 1] ?? `number ${number}, which nobody was given`
  }

  numberOf(value: string): number {
    const index = this.#values.indexOf(value)
    if (index < 0) throw new KhazanaError('internal', `no number was given to ${value}`)
    return index + 1
  }
}
