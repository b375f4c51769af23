import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { transcriptOf } from '../../src/testing/protocol/world-log.js'

const folder = fileURLToPath(new URL('../../../test/transcripts/', import.meta.url))
const isUpdate = process.env['KHAZANA_UPDATE_TRANSCRIPTS'] === '1'

/** Compares what the world wrote down with `test/transcripts/<file>.txt`. */
export function assertGolden(file: string, world: { readonly log: readonly string[] }): void {
  const text = transcriptOf(world)
  const path = `${folder}${file}.txt`
  if (isUpdate) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(path, text)
  }
  assert.equal(
    text,
    readFileSync(path, 'utf8'),
    'to accept a change: KHAZANA_UPDATE_TRANSCRIPTS=1, and read the difference',
  )
}
