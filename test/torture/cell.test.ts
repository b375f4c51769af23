import assert from 'node:assert/strict'
import { test } from 'node:test'
import { numberIn, pageOf, textIn, textOf } from '../../torture/cell.js'
import { pageBytes } from '../../torture/layout.js'

test('a page gives back the number that was put on it, and who did that', () => {
  const text = textOf({ number: -17, mark: 'c1.5' })
  assert.equal(textIn(pageOf(text)), text)
  assert.equal(numberIn(text), -17)
})

test('a page that was never written counts as 0', () => {
  assert.equal(textIn(new Uint8Array(pageBytes)), null)
  assert.equal(numberIn(null), 0)
})

test('a page of which one half is old gives a text that is no value', () => {
  const page = pageOf(textOf({ number: 1, mark: 'a' }))
  page.set(pageOf(textOf({ number: 2, mark: 'b' })).subarray(pageBytes / 2), pageBytes / 2)
  const text = textIn(page)
  assert.equal(text, 'torn: 1#a at its begin, 2#b at its end')
  assert.equal(numberIn(text), undefined)
})
