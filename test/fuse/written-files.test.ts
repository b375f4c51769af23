import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { WrittenFiles } from '../../src/fuse/front/written-files.js'
import { withResolvers } from '../../src/io/deadline.js'

const file = addressFrom(4096n)
const never = (): void => assert.fail('there is nothing to wait for')

describe('who closes a file', () => {
  it('waits for nothing where no bytes have changed, or all are durable', async () => {
    const files = new WrittenFiles()
    assert.equal(files.close(file, never), undefined)
    files.changed(file)
    await files.close(file, () => Promise.resolve())
    assert.equal(files.close(file, never), undefined)
  })

  it('waits also where another one has closed it, and waits still', async () => {
    const files = new WrittenFiles()
    files.changed(file)
    const disk = withResolvers<void>()
    const [one, other] = [files.close(file, () => disk.promise), files.close(file, () => disk.promise)]
    assert.ok(one instanceof Promise && other instanceof Promise)
    disk.resolve()
    await Promise.all([one, other])
    assert.equal(files.close(file, never), undefined)
  })

  it('waits for what has changed while another one waited, and after a failure', async () => {
    const files = new WrittenFiles()
    files.changed(file)
    const disk = withResolvers<void>()
    const first = files.close(file, () => disk.promise)
    files.changed(file)
    disk.resolve()
    await first
    await assert.rejects(async () => files.close(file, () => Promise.reject(new Error('no room'))), /no room/)
    let isAsked = false
    await files.close(file, () => {
      isAsked = true
      return undefined
    })
    assert.ok(isAsked)
    assert.equal(files.close(file, never), undefined)
  })
})
