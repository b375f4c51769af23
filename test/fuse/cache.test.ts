import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { TestMount } from './mounted.js'
import { cannotMount } from './khazana-mounts.js'
import { mountMemory, shell } from './mounted.js'
import type { MemoryNode } from './memory-nodes.js'
import { bytesOf, fileType, resize } from './memory-nodes.js'

describe('the cache of the kernel', { skip: cannotMount }, () => {
  let mount: TestMount

  before(async () => {
    mount = await mountMemory()
  })

  after(async () => mount.release())

  /** A file that comes from elsewhere, not through the mount. */
  function appear(name: string, text: string): MemoryNode {
    const node = mount.files.nodes.make({ mode: fileType | 0o644, uid: 0, gid: 0, rdev: 0 })
    mount.files.nodes.attach(1, name, node)
    change(node, text)
    return node
  }

  function change(node: MemoryNode, text: string): void {
    const bytes = new TextEncoder().encode(text)
    resize(node, bytes.length)
    node.data.set(bytes)
  }

  test('a second read does not come back to us', async () => {
    appear('kept', 'text')
    assert.equal(await shell(mount.path, 'cat kept'), 'text')
    const reads = mount.files.counts.read
    assert.equal(await shell(mount.path, 'cat kept'), 'text')
    assert.equal(mount.files.counts.read, reads)
  })

  test('after the inode is invalidated the next read sees new data, and not before', async () => {
    const node = appear('changing', 'old text')
    assert.equal(await shell(mount.path, 'cat changing'), 'old text')
    // As long as the old: a new size would be seen with the next attributes, over pages that are old.
    change(node, 'new text')
    assert.equal(await shell(mount.path, 'cat changing'), 'old text')
    await mount.server.notify({ kind: 'inode', node: node.number, offset: 0, length: 0 })
    assert.equal(await shell(mount.path, 'cat changing'), 'new text')
    change(node, 'a text that is longer')
    await mount.server.notify({ kind: 'inode', node: node.number, offset: 0, length: 0 })
    assert.equal(await shell(mount.path, 'cat changing; stat -c %s changing'), 'a text that is longer21\n')
  })

  for (const kind of ['entry', 'expire', 'delete'] as const) {
    test(`after ${kind} of a name it leads elsewhere`, async () => {
      const first = appear(kind, 'first')
      assert.equal(await shell(mount.path, `cat ${kind}`), 'first')
      mount.files.nodes.detach(1, kind)
      appear(kind, 'second')
      assert.equal(await shell(mount.path, `cat ${kind}`), 'first')
      const name = { parent: 1, name: bytesOf(kind) }
      await mount.server.notify(
        kind === 'delete' ? { kind, child: first.number, ...name } : { kind, ...name },
      )
      assert.equal(await shell(mount.path, `cat ${kind}`), 'second')
    })
  }

  test('with a new epoch all names are looked up again, at once', async (context) => {
    if (!mount.server.offers.epochs) {
      context.skip('SKIPPED: this kernel (before 6.16) knows no epochs of names')
      return
    }
    const names = ['epoch-1', 'epoch-2']
    for (const name of names) appear(name, 'first')
    assert.equal(await shell(mount.path, 'cat epoch-1 epoch-2'), 'firstfirst')
    for (const name of names) {
      mount.files.nodes.detach(1, name)
      appear(name, 'second')
    }
    assert.equal(await shell(mount.path, 'cat epoch-1 epoch-2'), 'firstfirst')
    mount.server.startEpoch()
    assert.equal(await shell(mount.path, 'cat epoch-1 epoch-2'), 'secondsecond')
  })

  test('what the kernel does not know is invalidated at once', async () => {
    await mount.server.notify({ kind: 'inode', node: 999_999, offset: 0, length: 0 })
    await mount.server.notify({ kind: 'entry', parent: 1, name: bytesOf('never seen') })
  })

  test('invalidation while files are written and read neither blocks nor loses anything', async () => {
    const busy = shell(
      mount.path,
      'for i in $(seq 60); do head -c 300000 /dev/urandom > w; cp w w2; cmp w w2 || echo differs; done',
    )
    let count = 0
    const ended = new AbortController()
    const done = busy.finally(() => ended.abort())
    while (!ended.signal.aborted) {
      const node = mount.files.nodes.get(1).children.get('w2')
      if (node !== undefined) {
        await mount.server.notify({ kind: 'inode', node, offset: 0, length: 0 })
        count++
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(await done, '')
    assert(count > 10, `${count} invalidations`)
  })
})

test(
  'with the writeback cache, an invalidation waits for dirty pages, which come through us',
  { skip: cannotMount },
  async () => {
    const mount = await mountMemory({}, { writes: 'kernel' })
    try {
      // The file stays open, so that no close flushes it.
      const said = shell(
        mount.path,
        'exec 3> dirty; head -c 3000000 /dev/zero >&3; echo written > ready; sleep 1',
      )
      while (mount.files.nodes.get(1).children.get('ready') === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      const node = mount.files.nodes.child(1, 'dirty')
      await mount.server.notify({ kind: 'inode', node: node.number, offset: 0, length: 0 })
      assert.equal(node.size, 3_000_000)
      await said
    } finally {
      await mount.release()
    }
  },
)
