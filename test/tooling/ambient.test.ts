import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { ESLint } from 'eslint'
import tseslint from 'typescript-eslint'

/** Time, chance, input and output taken from the surroundings: each a way to make the simulation lie. */
const ambient = [
  'export const a = Date.now()',
  'export const a = new Date()',
  'export const a = Date()',
  'export const { now } = Date',
  'export const a = Math.random()',
  'export const { random } = Math',
  'export const a = crypto.randomUUID()',
  'export const a = performance.now()',
  'setTimeout(() => undefined, 1)',
  'setInterval(() => undefined, 1)',
  'setImmediate(() => undefined)',
  'export const a = AbortSignal.timeout(1)',
  'export const a = process.pid',
  'export const a = globalThis.process',
  'export const a = Buffer.alloc(1)',
  "console.log('x')",
  "export const a = fetch('http://x')",
  "import { open } from 'node:fs/promises'\nexport const a = open",
  "import { open } from 'fs'\nexport const a = open",
  "import type { Socket } from 'node:net'\nexport type A = Socket",
  "export const a = import('node:fs')",
]

/** Looks ambient and is not. */
const harmless = [
  'export const a = new Date(0).toISOString()',
  'queueMicrotask(() => undefined)',
  'export const a = Math.max(1, 2)',
  'export const a = AbortSignal.any([])',
]

const ambientInTesting = [
  'export const a = Date.now()',
  'export const a = Math.random()',
  'export const a = new Date()',
]

describe('lint', () => {
  let eslint = new ESLint()
  before(() => {
    // Judged as text alone, so that the snippets need not be files of the TypeScript project.
    eslint = new ESLint({
      overrideConfig: [{ files: ['**/*.ts'], ...tseslint.configs.disableTypeChecked }],
      ruleFilter: ({ ruleId }) => ruleId.startsWith('no-restricted-'),
    })
  })

  async function complaintsAbout(code: string, path: string): Promise<string[]> {
    const results = await eslint.lintText(`${code}\n`, { filePath: join(process.cwd(), path) })
    return results.flatMap(({ messages }) => messages.map(({ message }) => message))
  }

  for (const code of ambient) {
    test(`forbids in the layers, with advice, ${firstLine(code)}`, async () => {
      for (const layer of ['stdx', 'io', 'store', 'node', 'client', 'fs']) {
        const complaints = await complaintsAbout(code, `src/${layer}/sample.ts`)
        assert.notDeepEqual(complaints, [], `in src/${layer}`)
        assert.match(complaints.join('\n'), /injected|Use Uint8Array|statically/, 'says what to use instead')
      }
    })

    test(`allows in the real world and in tests ${firstLine(code)}`, async () => {
      for (const folder of ['src/io/node', 'src/cli', 'src/fuse', 'test/store', 'bench']) {
        assert.deepEqual(await complaintsAbout(code, `${folder}/sample.ts`), [], `in ${folder}`)
      }
    })
  }

  for (const code of harmless) {
    test(`allows everywhere ${firstLine(code)}`, async () => {
      assert.deepEqual(await complaintsAbout(code, 'src/store/sample.ts'), [])
    })
  }

  for (const code of ambientInTesting) {
    test(`forbids in the testing layer ${firstLine(code)}`, async () => {
      assert.notDeepEqual(await complaintsAbout(code, 'src/testing/sample.ts'), [])
    })
  }

  test('lets the testing layer replace the globals by guards', async () => {
    for (const code of ['Date.now = () => { throw new Error() }', 'setImmediate(() => undefined)']) {
      assert.deepEqual(await complaintsAbout(code, 'src/testing/sample.ts'), [])
    }
  })
})

function firstLine(code: string): string {
  return code.split('\n', 1).join()
}
