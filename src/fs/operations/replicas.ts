import type { Address } from '../../address/address.js'
import { KhazanaError } from '../../stdx/errors.js'
import { FsError } from '../errno.js'
import { fsErrorFrom } from '../errors.js'
import { readInode, writeInode } from '../volume/volume.js'
import type { Volume } from '../volume/volume.js'

export const replicasMax = 7

/**
 * Has a file that exists kept on so many nodes; a directory as well, and so are files that are made in it from then on. What it has is copied while it is in use, which may take long. Throws
 * `EINVAL`, `ENOSPC`, and `EIO` where there are too few nodes.
 */
export async function changeReplicas(
  { runner, environment }: Volume,
  file: Address,
  replicas: number,
  timeoutMs: number,
): Promise<void> {
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > replicasMax)
    throw new FsError('EINVAL', `replicas are 1 to ${replicasMax}`)
  const region = runner.region(file)
  // It is a file, and its region is known then.
  await runner.run((attempt) => readInode(attempt, region).replicas)
  await runner.durable(region)
  const { handle } = region
  if (handle === undefined) throw new FsError('ESTALE', 'the file is not known here')
  try {
    await handle.setAttributes({ minReplicas: replicas }, { timeoutMs })
  } catch (reason) {
    throw fsErrorFrom(KhazanaError.from(reason))
  }
  await runner.run((attempt) => {
    const inode = writeInode(attempt, region)
    attempt.change()
    inode.replicas = replicas
    inode.touchChanged(environment.now())
  })
}
