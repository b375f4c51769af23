import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { TestMount } from './mounted.js'
import { cannotMount } from './khazana-mounts.js'
import { mountMemory, shell } from './mounted.js'

const modes = [
  { answers: 'at-once', writes: 'through', reads: 'cached' },
  { answers: 'later', writes: 'through', reads: 'cached' },
  { answers: 'at-once', writes: 'kernel', reads: 'cached' },
  { answers: 'at-once', writes: 'through', reads: 'direct' },
] as const

for (const { answers, writes, reads } of modes) {
  describe(`a mount, answers ${answers}, writes ${writes}, reads ${reads}`, { skip: cannotMount }, () => {
    let mount: TestMount

    before(async () => {
      mount = await mountMemory({ answers, reads }, { writes })
    })

    after(async () => mount.release())

    test('cp -r, tar and diff agree on a tree', async () => {
      await shell(
        mount.path,
        `source=$(mktemp -d); trap 'rm -r "$source"' EXIT
         mkdir -p "$source/a/b/c"; for i in $(seq 40); do head -c $((i * 997)) /dev/urandom > "$source/a/b/f$i"; done
         ln -s f1 "$source/a/b/link"; : > "$source/a/empty"
         cp -r "$source" copy; diff -r "$source" copy
         tar -C copy -cf all.tar .; mkdir out; tar -C out -xf all.tar; diff -r "$source" out
         rm -r copy out all.tar; test -z "$(ls -A)"`,
      )
    })

    test('git keeps a repository', async () => {
      const status = await shell(
        mount.path,
        `git init -q repo; cd repo; git config user.email a@b; git config user.name a
         for i in $(seq 30); do echo "$i" > "file $i"; done
         git add .; git commit -qm one; echo more >> 'file 3'; git fsck --strict 2>/dev/null; git status --porcelain`,
      )
      assert.equal(status, ' M "file 3"\n')
    })

    test('dd writes and reads megabytes, and holes are zero', async () => {
      const said = await shell(
        mount.path,
        `dd if=/dev/urandom of=/tmp/khazana-dd-$$ bs=1M count=12 status=none
         dd if=/tmp/khazana-dd-$$ of=big bs=1M status=none conv=fsync; cmp big /tmp/khazana-dd-$$; rm /tmp/khazana-dd-$$
         dd if=/dev/zero of=hole bs=1 count=1 seek=100000 status=none
         stat -c %s big hole; tr -d '\\0' < hole | wc -c; truncate -s 5 big; stat -c %s big`,
      )
      assert.deepEqual(said.split('\n').slice(0, 4), ['12582912', '100001', '0', '5'])
    })

    test('hard links, renames, modes and times hold', async () => {
      const said = await shell(
        mount.path,
        `mkdir m; cd m; echo x > a; ln a b; stat -c %h a; mv a c; cat c; echo y > d; mv d c; cat b c
         chmod 640 b; touch -d '1965-03-04 05:06:07 UTC' b; stat -c '%a %Y' b; rm b c; cd ..; rmdir m`,
      )
      assert.equal(said, '2\nx\nx\ny\n640 -152391233\n')
    })

    test('xattrs are set, listed, read and removed', async () => {
      const said = await shell(
        mount.path,
        `echo x > x; python3 -c "
import os
os.setxattr('x', 'user.one', b'1' * 3000); os.setxattr('x', 'user.two', b'')
print(sorted(os.listxattr('x')), len(os.getxattr('x', 'user.one')))
os.removexattr('x', 'user.one'); print(os.listxattr('x'))
try: os.getxattr('x', 'user.one')
except OSError as e: print(e.errno)
"`,
      )
      assert.equal(said, "['user.one', 'user.two'] 3000\n['user.two']\n61\n")
    })

    test('what is written through a mapping is read', async () => {
      const said = await shell(
        mount.path,
        `truncate -s 10000 map; python3 -c "
import mmap
with open('map', 'r+b') as f:
    m = mmap.mmap(f.fileno(), 0); m[5000:5005] = b'hello'; m.flush(); m.close()
"; dd if=map bs=1 skip=5000 count=5 status=none`,
      )
      assert.equal(said, 'hello')
    })

    test('flock and fcntl keep two processes apart', async () => {
      const said = await shell(
        mount.path,
        `: > l; flock l bash -c 'flock -n l true || echo taken'; flock -n l echo free
         flock l bash -c 'echo first; sleep 0.3; echo done' & sleep 0.1; flock l echo second; wait
         python3 -c "
import fcntl, os
f = open('l', 'r+'); fcntl.lockf(f, fcntl.LOCK_EX, 10, 5)
if os.fork() == 0:
    try: fcntl.lockf(open('l', 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 14); print('no lock', flush=True)
    except OSError as e: print('errno', e.errno, flush=True)
    fcntl.lockf(open('l', 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 15); print('beside', flush=True); os._exit(0)
os.wait()
"`,
      )
      assert.equal(said, 'taken\nfree\nfirst\ndone\nsecond\nerrno 11\nbeside\n')
    })

    test('a folder of 20,000 files is listed whole', async () => {
      const said = await shell(
        mount.path,
        `mkdir many; cd many; seq 20000 | xargs touch; ls -U | sort -n | uniq | wc -l; ls -l | wc -l
         find . -type f | wc -l; cd ..; rm -r many`,
      )
      assert.equal(said, '20000\n20001\n20000\n')
    })

    test('errors come as they are; what is no errno is EIO and logged', async () => {
      const said = await shell(
        mount.path,
        `echo x > throws; cat throws 2>&1 >/dev/null | sed 's/.*: //' || true
         cat missing 2>&1 | sed 's/.*: //' || true; mkdir full; : > full/x; rmdir full 2>&1 | sed 's/.*: //' || true
         printf 'x' > $'odd\\xffname'; ls | cat -v | grep odd; rm throws`,
      )
      assert.match(said, /No such file or directory\nDirectory not empty\noddM-\^\?name\n/)
      if (writes === 'through' && reads === 'direct') assert.match(said, /^Input\/output error/)
      if (reads === 'direct') assert(mount.logged.includes('A file system operation has failed'))
    })
  })
}
