import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Khazana } from 'khazana'
import type { Region } from 'khazana'
import { withResolvers } from '../../src/io/deadline.js'
import { FencedStore, runAlone } from '../../examples/fenced-store/fenced-store.js'

/** A job that waits before it writes. */
interface SlowJob {
  /** Resolves when it has begun. */
  readonly begun: Promise<void>
  readonly go: () => void
  /** Whether the store took what it wrote. */
  readonly taken: Promise<boolean>
}

describe('a store outside', () => {
  let dir: string
  let node: Khazana
  let region: Region

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'khz-'))
    node = await Khazana.open({ dir })
    region = await node.reserve(4096)
    await region.allocate()
  })
  after(async () => {
    await node.close()
    await rm(dir, { recursive: true, force: true })
  })

  function slowJob(client: Khazana, store: FencedStore, value: string): SlowJob {
    const [start, gate] = [withResolvers<void>(), withResolvers<void>()]
    let wasTaken = false
    const run = async (): Promise<boolean> => {
      const job = runAlone(await client.region(region.address), async (fence) => {
        start.resolve()
        await gate.promise
        wasTaken = store.write('books', value, fence)
      })
      await assert.rejects(job, { code: 'context-broken' })
      return wasTaken
    }
    return { begun: start.promise, go: gate.resolve, taken: run() }
  }

  it('takes what each holder of the lock writes, as often as it writes', async () => {
    const store = new FencedStore()
    for (const value of ['a', 'b', 'c']) {
      await runAlone(region, async (fence) => {
        assert.ok(store.write('books', `${value}, first`, fence))
        assert.ok(store.write('books', value, fence))
      })
    }
    assert.equal(store.read('books'), 'c')
  })

  it('refuses a holder that has lost its lock and does not know it', async () => {
    const store = new FencedStore()
    const client = await Khazana.open({ dir })
    const late = slowJob(client, store, 'too late')
    await late.begun
    // Its right to the lock ends here, while its job goes on.
    await client.close()
    await runAlone(region, async (fence) => {
      assert.ok(store.write('books', 'in time', fence))
    })
    late.go()
    assert.equal(await late.taken, false)
    assert.equal(store.read('books'), 'in time')
  })
})
