/** What is not the same in two pictures of a file system, path by path. */
export function different(
  actual: ReadonlyMap<string, string>,
  expected: ReadonlyMap<string, string>,
): string[] {
  const paths = new Set([...actual.keys(), ...expected.keys()])
  return [...paths]
    .filter((path) => actual.get(path) !== expected.get(path))
    .map(
      (path) =>
        `${path}: ${actual.get(path) ?? 'not there'}, and should be: ${expected.get(path) ?? 'not there'}`,
    )
}
