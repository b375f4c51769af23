/** A row cannot be measured here, for this reason; the others can. Thrown by `Row.open`. */
export class RowSkipped extends Error {
  override readonly name = 'RowSkipped'
}
