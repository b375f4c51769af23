/**
 * The walls between the layers (docs/architecture.md). The table below is the whole law: a folder under `src` that it
 * does not name, and an import that it does not list, both fail `npm run lint:layers`.
 *
 * `stdx` may be imported by everyone. `types` lists what may be imported by `import type` alone.
 */
const everything = [
  'address',
  'wire',
  'consistency',
  'location',
  'membership',
  'coordinator',
  'store',
  'io',
  'io/node',
  'node',
  'client',
  'fs',
  'fuse',
  'objects',
  'cli',
  'entry',
]

const layers = {
  stdx: { imports: [] },
  io: { imports: [] },
  'io/node': { imports: ['io'] },
  address: { imports: [] },
  wire: { imports: ['address'] },
  consistency: { imports: ['address'], types: ['wire'] },
  location: { imports: ['address'], types: ['wire'] },
  membership: { imports: ['address'], types: ['wire'] },
  coordinator: { imports: ['address', 'io'] },
  store: { imports: ['address', 'io'] },
  node: {
    imports: ['io', 'address', 'wire', 'consistency', 'location', 'membership', 'coordinator', 'store'],
  },
  client: { imports: ['address', 'wire', 'io', 'node'] },
  fs: { imports: ['client', 'address'] },
  objects: { imports: ['client', 'address'] },
  fuse: { imports: ['fs', 'io'] },
  // These compose the real world: they may import all but `testing`.
  cli: { imports: everything },
  entry: { imports: everything },
  testing: { imports: [...everything, 'testing'] },
}

/** What a layer's files look like. `entry` is the package's public entry files, which lie in `src` itself. */
function pathOf(layer) {
  if (layer === 'entry') return '^src/[^/]+$'
  if (layer === 'io') return '^src/io/(?!node/)'
  return `^src/${layer}/`
}

function wallsOf(layer, { imports, types = [] }) {
  const own = [layer, 'stdx', ...imports].map(pathOf)
  const walls = [
    {
      name: `layer-${layer}`,
      severity: 'error',
      comment: `src/${layer} may import ${['stdx', ...imports, ...types.map((name) => `types of ${name}`)].join(', ')}`,
      from: { path: pathOf(layer) },
      to: { path: '^src/', pathNot: [...own, ...types.map(pathOf)] },
    },
  ]
  if (types.length > 0) {
    walls.push({
      name: `layer-${layer}-types`,
      severity: 'error',
      comment: `src/${layer} may import from ${types.join(', ')} by "import type" alone`,
      from: { path: pathOf(layer) },
      to: { path: types.map(pathOf), dependencyTypesNot: ['type-only'] },
    })
  }
  return walls
}

const known = Object.keys(layers).map(pathOf)
const unknownLayer = {
  severity: 'error',
  comment: 'every folder under src is a layer: give it a row in the table of .dependency-cruiser.cjs',
}

module.exports = {
  forbidden: [
    ...Object.entries(layers).flatMap(([layer, row]) => wallsOf(layer, row)),
    { name: 'unknown-layer', ...unknownLayer, from: { path: '^src/', pathNot: known }, to: {} },
    { name: 'unknown-layer-imported', ...unknownLayer, from: {}, to: { path: '^src/', pathNot: known } },
    {
      name: 'unknown-layer-alone',
      ...unknownLayer,
      from: { orphan: true, path: '^src/', pathNot: known },
      to: {},
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'two files that import each other are one idea, or hide a third',
      from: {},
      to: { circular: true },
    },
    {
      name: 'testing-for-tests',
      severity: 'error',
      comment:
        'src/testing is for src/testing itself, for tests and for the programs that simulate and torture',
      from: { pathNot: '^(src/testing|test|sim|torture)/' },
      to: { path: '^src/testing/' },
    },
    {
      name: 'src-alone',
      severity: 'error',
      comment:
        'what is shipped imports neither tests nor benchmarks nor the programs that simulate and torture',
      from: { path: '^src/' },
      to: { path: '^(test|bench|sim|torture|scripts|bin)/' },
    },
    {
      name: 'examples-as-users',
      severity: 'error',
      comment: 'an example imports what a user could: its own files, "khazana" and "khazana/testing"',
      from: { path: '^examples/' },
      to: { pathNot: '^(examples/|dist/src/index\\.|dist/src/testing/index\\.)' },
    },
    {
      name: 'examples-alone',
      severity: 'error',
      comment: 'examples are for reading, and for their own tests',
      from: { pathNot: '^(examples|test/examples)/' },
      to: { path: '^examples/' },
    },
    {
      name: 'no-development-packages',
      severity: 'error',
      comment: 'what is shipped needs no package that its users do not install',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'undetermined'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'the import leads nowhere',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
