import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cruise, type ICruiseOptions, type ICruiseResult, type IConfiguration } from 'dependency-cruiser'

const layers = [
  'stdx',
  'io',
  'io/node',
  'address',
  'wire',
  'consistency',
  'location',
  'membership',
  'coordinator',
  'store',
  'node',
  'client',
  'fs',
  'fuse',
  'objects',
  'cli',
  'entry',
  'testing',
] as const
type Layer = (typeof layers)[number]

const production: readonly Layer[] = layers.filter((layer) => layer !== 'testing')

/** Section 4 of the design, written a second time on purpose: the configuration must agree with it, both ways. */
const mayImport: Record<Layer, readonly Layer[]> = {
  stdx: [],
  io: [],
  'io/node': ['io'],
  address: [],
  wire: ['address'],
  consistency: ['address'],
  location: ['address'],
  membership: ['address'],
  coordinator: ['address', 'io'],
  store: ['address', 'io'],
  node: ['io', 'address', 'wire', 'consistency', 'location', 'membership', 'coordinator', 'store'],
  client: ['address', 'wire', 'io', 'node'],
  fs: ['client', 'address'],
  objects: ['client', 'address'],
  fuse: ['fs', 'io'],
  cli: production,
  entry: production,
  testing: layers,
}

const pure: readonly Layer[] = ['consistency', 'location', 'membership']

describe('the walls between layers', () => {
  let root = ''
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'khazana-layers-'))
  })
  after(async () => {
    await rm(root, { recursive: true })
  })

  test('stand between exactly those layers that the table separates', async () => {
    const files: Record<string, string> = {}
    for (const layer of layers) files[fileOf(layer, 'target')] = 'export const value = 1\n'
    for (const from of layers) {
      for (const to of layers) files[fileOf(from, `to-${slug(to)}`)] = valueImport(from, to)
    }
    const found = await violationsOf(root, 'table', files)

    const blamed = new Set(
      found.filter(({ rule }) => rule.startsWith('layer-')).map(({ from, to }) => edge(from, to)),
    )
    for (const from of layers) {
      for (const to of layers) {
        const allowed = to === from || to === 'stdx' || mayImport[from].includes(to)
        const blames = blamed.has(edge(fileOf(from, `to-${slug(to)}`), fileOf(to, 'target')))
        assert.equal(blames, !allowed, `${from} importing ${to} is ${allowed ? 'allowed' : 'forbidden'}`)
      }
    }
  })

  test('let the pure layers import types of the wire, and no values', async () => {
    const files: Record<string, string> = { [fileOf('wire', 'target')]: 'export const value = 1\n' }
    for (const layer of pure) {
      files[fileOf(layer, 'types')] =
        "import type { value } from '../wire/target.js'\nexport type Value = typeof value\n"
      files[fileOf(layer, 'values')] =
        "import { value } from '../wire/target.js'\nexport const copy = value\n"
      files[fileOf(layer, 'both')] =
        "import type { value as v } from '../wire/target.js'\nimport { value } from '../wire/target.js'\n" +
        'export const copy: typeof v = value\n'
    }
    const found = await violationsOf(root, 'types', files)

    assert.deepEqual(
      found.map(({ rule, from }) => `${rule} ${from}`).sort(),
      pure.flatMap((layer) => [
        `layer-${layer}-types ${fileOf(layer, 'both')}`,
        `layer-${layer}-types ${fileOf(layer, 'values')}`,
      ]),
    )
  })

  test('refuse a folder that is no layer, whatever it imports and whoever imports it', async () => {
    const found = await violationsOf(root, 'unknown', {
      'src/alone/a.ts': 'export const value = 1\n',
      'src/importer/a.ts': "import { value } from '../stdx/target.js'\nexport const copy = value\n",
      'src/imported/a.ts': 'export const value = 1\n',
      'src/cli/a.ts': "import { value } from '../imported/a.js'\nexport const copy = value\n",
      'src/stdx/target.ts': 'export const value = 1\n',
    })
    const blamed = found
      .filter(({ rule }) => rule.startsWith('unknown-layer'))
      .map(({ rule, from }) => [rule, from])
    assert.deepEqual(blamed.sort(), [
      ['unknown-layer', 'src/importer/a.ts'],
      ['unknown-layer-alone', 'src/alone/a.ts'],
      ['unknown-layer-imported', 'src/cli/a.ts'],
    ])
  })

  test('refuse circles, of types too', async () => {
    const found = await violationsOf(root, 'circle', {
      'src/stdx/a.ts': "import type { B } from './b.js'\nexport interface A { readonly b: B }\n",
      'src/stdx/b.ts': "import type { A } from './a.js'\nexport interface B { readonly a: A }\n",
    })
    assert.deepEqual(
      found.map(({ rule }) => rule),
      ['no-cycles'],
    )
  })

  test('keep the testing layer to tests, and tests out of what is shipped', async () => {
    const value = 'export const value = 1\n'
    const found = await violationsOf(root, 'testing', {
      'src/testing/target.ts': value,
      'test/target.ts': `import { value } from '../src/testing/target.js'\nexport const copy = value\n`,
      'bench/a.ts': "import { value } from '../src/testing/target.js'\nexport const copy = value\n",
      'src/cli/a.ts': "import { copy } from '../../test/target.js'\nexport const again = copy\n",
    })
    assert.deepEqual(found.map(({ rule, from }) => `${rule} ${from}`).sort(), [
      'src-alone src/cli/a.ts',
      'testing-for-tests bench/a.ts',
    ])
  })

  test('let examples import what a user could, and nobody import examples', async () => {
    const value = 'export const value = 1\n'
    const found = await violationsOf(root, 'examples', {
      'examples/one/b.ts': value,
      'examples/one/a.ts': "import { value } from './b.js'\nexport const copy = value\n",
      'examples/one/inside.ts':
        "import { value } from '../../src/stdx/target.js'\nexport const copy = value\n",
      'examples/one/world.ts': "import { readFileSync } from 'node:fs'\nexport const copy = readFileSync\n",
      'src/stdx/target.ts': value,
      'bench/a.ts': "import { value } from '../examples/one/b.js'\nexport const copy = value\n",
    })
    assert.deepEqual(found.map(({ rule, from }) => `${rule} ${from}`).sort(), [
      'examples-alone bench/a.ts',
      'examples-as-users examples/one/inside.ts',
      'examples-as-users examples/one/world.ts',
    ])
  })

  test('refuse packages that users do not install, and imports that lead nowhere', async () => {
    const found = await violationsOf(root, 'packages', {
      'package.json':
        '{ "name": "x", "type": "module", "dependencies": { "a": "1" }, "devDependencies": { "b": "1" } }',
      'node_modules/a/package.json': '{ "name": "a", "version": "1.0.0", "main": "index.js" }',
      'node_modules/a/index.js': 'module.exports = 1\n',
      'node_modules/b/package.json': '{ "name": "b", "version": "1.0.0", "main": "index.js" }',
      'node_modules/b/index.js': 'module.exports = 1\n',
      'node_modules/c/package.json': '{ "name": "c", "version": "1.0.0", "main": "index.js" }',
      'node_modules/c/index.js': 'module.exports = 1\n',
      'src/cli/good.ts': "import a from 'a'\nexport const copy = a\n",
      'src/cli/development.ts': "import b from 'b'\nexport const copy = b\n",
      'src/cli/undeclared.ts': "import c from 'c'\nexport const copy = c\n",
      'src/cli/nowhere.ts': "import d from './d.js'\nexport const copy = d\n",
    })
    assert.deepEqual(found.map(({ rule, from }) => `${rule} ${from}`).sort(), [
      'no-development-packages src/cli/development.ts',
      'no-development-packages src/cli/undeclared.ts',
      'resolvable src/cli/nowhere.ts',
    ])
  })
})

interface Violation {
  readonly rule: string
  readonly from: string
  readonly to: string
}

/** Writes the files into their own folder under `root` and judges them by the project's own rules. */
async function violationsOf(root: string, name: string, files: Record<string, string>): Promise<Violation[]> {
  const baseDir = join(root, name)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(baseDir, path)), { recursive: true })
    await writeFile(join(baseDir, path), text)
  }
  const { forbidden, options } = projectRules()
  const folders = ['src', 'test', 'bench', 'examples'].filter((folder) =>
    Object.keys(files).some((path) => path.startsWith(`${folder}/`)),
  )
  const cruiseOptions: ICruiseOptions = {
    baseDir,
    validate: true,
    ruleSet: { forbidden: forbidden ?? [] },
    tsPreCompilationDeps: options?.tsPreCompilationDeps ?? false,
    doNotFollow: { path: 'node_modules' },
  }
  const { output } = await cruise(folders, cruiseOptions, { ...options?.enhancedResolveOptions })
  return (output as ICruiseResult).summary.violations.map(({ rule, from, to }) => ({
    rule: rule.name,
    from,
    to,
  }))
}

function projectRules(): IConfiguration {
  return createRequire(import.meta.url)(resolve('.dependency-cruiser.cjs')) as IConfiguration
}

function fileOf(layer: Layer, name: string): string {
  return layer === 'entry' ? `src/${name}.ts` : `src/${layer}/${name}.ts`
}

function valueImport(from: Layer, to: Layer): string {
  const up = from === 'entry' ? './' : '../'.repeat(from.split('/').length)
  const folder = to === 'entry' ? '' : `${to}/`
  return `import { value } from '${up}${folder}target.js'\nexport const copy = value\n`
}

function slug(layer: Layer): string {
  return layer.replace('/', '-')
}

function edge(from: string, to: string): string {
  return `${from} -> ${to}`
}
