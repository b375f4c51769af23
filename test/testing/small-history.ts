import type { Operation } from '../../src/testing/history.js'

/**
 * One operation as text: who, what, from, until. `A w x=1 0-2`: A wrote 1 to x, asked at 0, acknowledged at 2. `B r x=1 3-4`:
 * B read it. `A w x=2(1) 5-?`: A read 1 and wrote 2, of unknown outcome. `A f x=3 6-7`: a write that failed. `-` is what was
 * never written. Times are the order, too.
 */
export function operation(text: string): Operation {
  const parts = /^(\w+) ([wrf]) (\w+)=([\w-]+)(?:\(([\w-]+)\))? (\d+)-(\d+|\?)$/.exec(text)
  if (parts === null) throw new Error(`no operation: ${text}`)
  const [, process = '', what = '', key = '', value = '', old, from = '', until = ''] = parts
  const complete = until === '?' ? null : Number(until)
  return {
    process,
    op: what === 'r' ? 'read' : 'write',
    key,
    value: value === '-' ? null : value,
    ...(old === undefined ? {} : { old: old === '-' ? null : old }),
    ok: what !== 'f',
    invoke: Number(from),
    complete,
    invokeOrder: Number(from),
    completeOrder: complete,
  }
}

export function historyOf(...lines: readonly string[]): Operation[] {
  return lines.map(operation)
}
