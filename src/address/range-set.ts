export interface NumberRange { readonly first: number; readonly count: number }
export class RangeSet {
  declare readonly total: number
  declare readonly fragments: number
  add(first: number, count: number): void { void first; void count }
  remove(first: number, count: number): void { void first; void count }
  includes(first: number, count: number): boolean { void first; void count; return false }
  within(first: number, count: number): NumberRange[] { void first; void count; return [] }
}
