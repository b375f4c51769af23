import assert from 'node:assert/strict'
import { it } from 'node:test'
import { deviceOf } from '../../src/fuse/device/read-ahead.js'

const mounts = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
39 22 0:34 / /mnt/a rw,nosuid - fuse.khazana khazana rw,user_id=0
40 22 0:35 / /mnt/with\\040space rw - fuse.khazana khazana rw
41 39 0:36 / /mnt/a rw - fuse.khazana khazana rw
`

it('the device of a mount is that of the uppermost one there, whatever its name', () => {
  assert.equal(deviceOf('/mnt/a', mounts), '0:36')
  assert.equal(deviceOf('/mnt/with space', mounts), '0:35')
  assert.equal(deviceOf('/', mounts), '254:0')
  assert.equal(deviceOf('/mnt', mounts), undefined)
})
