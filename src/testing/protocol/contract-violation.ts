/** A manager did what the contract (`src/consistency/contract.ts`) forbids, or failed to do what it demands. */
export class ContractViolation extends Error {
  override readonly name = 'ContractViolation'
}

/** Throws a `ContractViolation` with the sentence unless the contract is kept. */
export function demand(isKept: boolean, sentence: string): asserts isKept {
  if (!isKept) throw new ContractViolation(sentence)
}
