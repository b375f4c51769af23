/** What a command says where a release is not done yet. */
export function pendingText(what: 'freed' | 'unreserved'): string {
  return `pending: not ${what} yet; the node goes on trying until it is (\`khazana nodes\` counts what is PENDING)`
}
