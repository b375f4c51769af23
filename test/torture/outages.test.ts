import assert from 'node:assert/strict'
import { test } from 'node:test'
import { longestOutages } from '../../torture/checks/outages.js'
import { read, write } from './history-of.js'

test('the longest outage of a region is the longest time in which nothing on it was acknowledged', () => {
  const key = 'r1-n1/counter-0'
  const operations = [
    read(key, null, [100, 1000]),
    write(key, '1#a', null, [1500, 7000]),
    // Neither of these was acknowledged.
    write(key, '2#b', '1#a', [3000, null]),
    { ...write(key, '2#c', '1#a', [3000, 4000]), ok: false },
    read('r1-n2/counter-0', null, [0, 5000]),
  ]
  assert.deepEqual(longestOutages(operations, ['r1-n1', 'r1-n2', 'r1-n3'], [0, 8000]), [
    { region: 'r1-n1', from: 1000, until: 7000 },
    { region: 'r1-n2', from: 0, until: 5000 },
    { region: 'r1-n3', from: 0, until: 8000 },
  ])
})
