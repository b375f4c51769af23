import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { output } from '../cli/command.js'
import { Daemon, TemporaryFolder } from '../cli/daemon.js'
import { Mount, TwoMounts, cannotMount } from './khazana-mounts.js'

const options = { skip: cannotMount }

/** A program on the mounts: in another process, as a mount is never to be waited for by whoever serves it. Answers what it prints. */
async function shell(script: string): Promise<string> {
  const { stdout } = await promisify(execFile)('bash', ['-ec', script], {
    timeout: 60_000,
    maxBuffer: 16 * 1024 * 1024,
  })
  return stdout.trim()
}

/** One file system, mounted at two nodes. */
async function withTwoMounts(run: (a: string, b: string) => Promise<void>): Promise<void> {
  await using mounts = await TwoMounts.start()
  await run(...mounts.directories)
}

test(
  'a file system on two mounts does what programs do with files, and each sees at once what the other did',
  options,
  () =>
    withTwoMounts(async (a, b) => {
      await shell(
        `mkdir ${a}/d; echo hello > ${a}/d/file; ln ${a}/d/file ${a}/d/other; ln -s other ${a}/d/link`,
      )
      assert.equal(await shell(`cat ${b}/d/link; stat -c %h ${b}/d/file`), 'hello\n2')
      await shell(
        `exec 3<> ${a}/kept; echo one >&3; for n in 1 2 3 4 5; do echo $n >> ${b}/kept; done; tail -1 ${a}/kept | grep -qx 5`,
      )
      await shell(
        `mv ${b}/d/file ${b}/moved; ! test -e ${a}/d/file; test -e ${a}/moved; rm ${a}/moved; ! test -e ${b}/moved`,
      )
      await shell(`chmod 640 ${a}/kept; truncate -s 100000 ${b}/kept`)
      assert.equal(await shell(`stat -c '%a %s' ${a}/kept ${b}/kept`), '640 100000\n640 100000')

      // Real trees and programs, at one and then the other.
      await shell(
        `mkdir ${a}/tree; tar -C ${process.cwd()} -cf - src/fs docs | tar -C ${a}/tree -xf -; diff -r ${process.cwd()}/src/fs ${b}/tree/src/fs`,
      )
      await shell(
        `cd ${b}/tree; git init -q .; git add -A; git -c user.name=n -c user.email=e@e commit -qm first`,
      )
      await shell(
        `cd ${a}/tree; git -c safe.directory='*' status --porcelain | (! grep .); echo more > new; git -c safe.directory='*' add new; git -c safe.directory='*' -c user.name=n -c user.email=e@e commit -qm second`,
      )
      await shell(
        `cd ${b}/tree; git -c safe.directory='*' gc -q; git -c safe.directory='*' fsck --strict 2>&1 | (! grep -i error); test "$(git -c safe.directory='*' log --oneline | wc -l)" = 2`,
      )
      await shell(`rm -rf ${a}/tree; test "$(ls ${b})" = "$(ls ${a})"`)
    }),
)

test(
  'lines that both mounts append are all there, and a file that is made exclusively is made once',
  options,
  () =>
    withTwoMounts(async (a, b) => {
      const lines = 100
      const append = (mount: string, word: string): Promise<string> =>
        shell(`for n in $(seq ${lines}); do echo "${word} $n" >> ${mount}/log; done`)
      await Promise.all([append(a, 'one'), append(b, 'two')])
      const log = (await shell(`cat ${a}/log`)).split('\n')
      const expected = ['one', 'two'].flatMap((word) =>
        Array.from({ length: lines }, (_, index) => `${word} ${index + 1}`),
      )
      assert.deepEqual(log.toSorted(), expected.toSorted())

      const claim = (mount: string): Promise<string> =>
        shell(
          `won=0; for n in $(seq ${lines}); do if (set -C; : > ${mount}/claim-$n) 2>/dev/null; then won=$((won + 1)); fi; done; echo $won`,
        )
      const won = await Promise.all([claim(a), claim(b)])
      assert.equal(Number(won[0]) + Number(won[1]), lines)
    }),
)

test(
  'a mount whose process is killed answers with an error, is cleared away, and has all that was closed',
  options,
  async () => {
    await using folder = await TemporaryFolder.make()
    await using node = await Daemon.start(folder.in('a'))
    const address = await output(['mkfs'], { at: node.at })
    const directory = folder.in('mnt')
    await mkdir(directory)
    const first = await Mount.start(address, directory, node.at)
    await shell(`echo kept > ${directory}/file; echo closed > ${directory}/other; stat ${directory}`)
    await first.kill()
    await assert.rejects(shell(`ls ${directory}`), /Transport endpoint is not connected/)
    // As its kernel has been told of its root, it looks as if it were there.
    await shell(`stat ${directory}`)
    await using again = await Mount.start(address, directory, node.at)
    assert.equal(await shell(`cat ${directory}/file ${directory}/other`), 'kept\nclosed')
    await shell(`umount ${directory}`)
    await again.ended
    assert.equal(await shell(`grep -c " ${directory} " /proc/mounts || true`), '0')
  },
)

test(
  'who writes to a program that runs as somebody else takes that from it, and every kernel knows, which asks for nothing but the permissions',
  { skip: process.getuid?.() === 0 ? cannotMount : 'only root acts for others' },
  () =>
    withTwoMounts(async (a, b) => {
      const stranger = 'setpriv --reuid 4002 --regid 4002 --clear-groups'
      const changes = [
        `sh -c "echo more >> FILE"`,
        `sh -c ": > FILE"`,
        `fallocate -l 100000 FILE`,
        `truncate -s 3 FILE`,
        `sh -c "dd if=/dev/zero of=FILE bs=64k count=3 conv=notrunc 2>/dev/null"`,
      ]
      await shell(`chmod 755 ${a}`)
      for (const change of changes) {
        const file = `${b}/program`
        await shell(
          `rm -f ${a}/program; echo x > ${a}/program; chown 4001:4001 ${a}/program; chmod 6777 ${a}/program`,
        )
        // The kernels know it by then. It is by this alone that they ask for the permissions and nothing else.
        assert.equal(await shell(`stat -c %a ${file}; stat -c %a ${a}/program`), '6777\n6777')
        // From within, as the folder above is root's alone.
        await shell(`cd ${b}; ${stranger} ${change.replace('FILE', 'program')}`)
        assert.equal(await shell(`stat -c %a ${file}; stat -c %a ${a}/program`), '777\n777', change)
      }
    }),
)
