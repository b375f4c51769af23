import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { output } from '../cli/command.js'
import { Daemon, TemporaryFolder } from '../cli/daemon.js'
import { Mount, TwoMounts, cannotMount } from './khazana-mounts.js'

/** Why a test of these programs is left out, or false. */
function without(...programs: readonly string[]): string | false {
  if (cannotMount !== false) return cannotMount
  const missing = programs.filter((program) => {
    try {
      execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
      return false
    } catch {
      return true
    }
  })
  return missing.length === 0 ? false : `SKIPPED: this machine has no ${missing.join(', no ')}`
}

/** Answers what it prints. */
async function shell(script: string, timeoutMs = 120_000): Promise<string> {
  const { stdout } = await promisify(execFile)('bash', ['-ec', script], {
    timeout: timeoutMs,
    maxBuffer: 16 * 1024 * 1024,
  })
  return stdout.trim()
}

test(
  'sqlite3 has writers at two nodes at once, and loses nothing',
  { skip: without('sqlite3') },
  async () => {
    await using mounts = await TwoMounts.start()
    const [a, b] = mounts.directories
    await shell(
      `sqlite3 ${a}/db 'CREATE TABLE t (who TEXT, n INTEGER, UNIQUE (who, n)); CREATE INDEX i ON t (n)'`,
    )
    const rows = 40
    const write = (mount: string, who: string): Promise<string> =>
      shell(
        `(echo '.timeout 60000'; for n in $(seq ${rows}); do echo "INSERT INTO t VALUES ('${who}', $n);"; done) | sqlite3 -bail ${mount}/db`,
      )
    await Promise.all([write(a, 'one'), write(b, 'two'), write(b, 'three')])
    for (const mount of [a, b]) {
      const found = await shell(
        `sqlite3 ${mount}/db 'SELECT count(*), sum(n) FROM t; PRAGMA integrity_check'`,
      )
      assert.equal(found, `${3 * rows}|${(3 * rows * (rows + 1)) / 2}\nok`)
    }
  },
)

test('npm installs at one node what runs at the other', { skip: without('npm') }, async () => {
  await using mounts = await TwoMounts.start()
  const [a, b] = mounts.directories
  await shell(`
    mkdir -p ${a}/lib/src ${a}/app; cd ${a}/lib
    echo '{"name":"lib","version":"1.2.3","main":"src/index.js","bin":{"greet":"src/greet.js"}}' > package.json
    echo 'module.exports = (name) => "hello " + name' > src/index.js
    printf '#!/usr/bin/env node\\nconsole.log(require("./index.js")(process.argv[2]))\\n' > src/greet.js
    cd ../app; echo '{"name":"app","version":"1.0.0","dependencies":{"lib":"file:../lib"},"scripts":{"greet":"greet"}}' > package.json
    npm install --offline --install-links --no-audit --no-fund --silent`)
  assert.match(await shell(`cd ${b}/app; npm run --silent greet -- world`), /^hello world$/m)
  assert.equal(await shell(`cd ${b}/app; node -p 'require("lib")("node")'`), 'hello node')
  await shell(`cd ${b}/app; npm uninstall --offline --no-audit --no-fund --silent lib`)
  assert.equal(await shell(`cd ${a}/app; ls node_modules/lib 2>/dev/null || echo gone`), 'gone')
})

test(
  'a C program is compiled at one node, and goes on at the other',
  { skip: without('cc', 'make', 'ar') },
  async () => {
    await using mounts = await TwoMounts.start()
    const [a, b] = mounts.directories
    await shell(`
    mkdir ${a}/c; cd ${a}/c
    for n in 1 2 3 4 5 6; do printf '#include "all.h"\\nint f%d(int x) { return x + %d; }\\n' $n $n > f$n.c; done
    printf 'int f1(int); int f2(int); int f3(int); int f4(int); int f5(int); int f6(int);\\n' > all.h
    printf '#include <stdio.h>\\n#include "all.h"\\nint main(void) { printf("%%d\\\\n", f6(f5(f4(f3(f2(f1(0))))))); return 0; }\\n' > main.c
    printf 'objects = f1.o f2.o f3.o f4.o f5.o f6.o\\nprogram: main.c libf.a\\n\\tcc -o program main.c libf.a\\nlibf.a: $(objects)\\n\\tar rcs libf.a $(objects)\\n$(objects): all.h\\n' > Makefile
    make -s -j2`)
    assert.equal(await shell(`cd ${b}/c; ./program`), '21')
    assert.match(await shell(`cd ${b}/c; make`), /up to date/)
    await shell(`cd ${b}/c; sleep 0.02; sed -i 's/x + 6/x + 60/' f6.c; make -s -j2`)
    assert.equal(await shell(`cd ${a}/c; ./program; make`).then((text) => text.split('\n')[0]), '75')
  },
)

test(
  'a tree is unpacked at one of three nodes while another one is killed, which has half of the copies',
  { skip: without('tar') },
  async (t) => {
    await using folder = await TemporaryFolder.make()
    await using one = await Daemon.start(folder.in('a'))
    await using two = await Daemon.start(folder.in('b'), ['--join', one.ready.listen])
    await using three = await Daemon.start(folder.in('c'), ['--join', one.ready.listen])
    // All of it has its home at the node that is to be killed, or a copy there.
    const address = await output(['mkfs', '--min-replicas', '2'], { at: two.at })
    for (const name of ['mnt-1', 'mnt-3']) await mkdir(folder.in(name))
    await using here = await Mount.start(address, folder.in('mnt-3'), three.at)
    const source = process.cwd()
    await shell(`tar -C ${source} -cf ${folder.in('tree.tar')} src docs`)
    const unpacking = shell(
      `mkdir ${here.directory}/tree; tar -C ${here.directory}/tree -xf ${folder.in('tree.tar')}`,
    )
    await new Promise((resolve) => setTimeout(resolve, 700))
    const start = performance.now()
    await two.end('SIGKILL')
    await unpacking
    t.diagnostic(`it went on for ${Math.round(performance.now() - start)} ms`)
    await using there = await Mount.start(address, folder.in('mnt-1'), one.at)
    for (const mount of [here, there])
      for (const part of ['src', 'docs'])
        await shell(`diff -r ${source}/${part} ${mount.directory}/tree/${part}`)
  },
)
