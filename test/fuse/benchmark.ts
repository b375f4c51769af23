import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { mountPoint } from './mounted.js'

// Measures the server over the file system in memory: node dist/test/fuse/benchmark.js [seconds [lingerUs]]. Readers are
// processes of their own, in Perl, so that none of their time is Node's. Prints one line for each figure.

const seconds = Number(process.argv[2] ?? '3')
const fileBytes = 64 * 1024 * 1024

/** Each prints how many operations it did per second. */
const programs = {
  read: `open(F, '<:raw', $ARGV[0]) or die; $end = time + $s;
    while (time < $end) { for (1..50) { sysseek(F, int(rand($ARGV[1] / 4096)) * 4096, 0); sysread(F, $b, 4096) == 4096 or die; $n++ } }`,
  // Names that are not there are not remembered, so each is looked up.
  lookup: `$end = time + $s; while (time < $end) { for (1..50) { lstat("$ARGV[0]/none$n"); $n++ } }`,
  getattr: `$end = time + $s; while (time < $end) { for (1..50) { lstat($ARGV[0]); $n++ } }`,
  create: `$end = time + $s; while (time < $end) { for (1..20) { open(F, '>', "$ARGV[0]/c$$.$n") or die; close F; $n++ } }`,
} as const

/** Operations that the clients say they did; the daemon's own counts must agree. */
const done = { read: 0, lookup: 0, getattr: 0, create: 0 }

async function measure(
  what: keyof typeof programs,
  count: number,
  values: readonly string[],
): Promise<number> {
  const program = `use Time::HiRes 'time'; $s = ${seconds}; $t = time; ${programs[what]} printf "%d %d\\n", $n, $n / (time - $t);`
  const run = promisify(execFile)
  const outputs = await Promise.all(
    Array.from({ length: count }, async () => run('perl', ['-e', program, ...values])),
  )
  let rate = 0
  for (const { stdout } of outputs) {
    const [operations = 0, perSecond = 0] = stdout.split(' ').map(Number)
    done[what] += operations
    rate += perSecond
  }
  return rate
}

const folder = mountPoint()
const daemon = fileURLToPath(new URL('./memory-daemon.js', import.meta.url))
const child = spawn(process.execPath, [daemon, folder, 'direct', 'through', process.argv[3] ?? '50'], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
await once(child.stdout, 'data')
try {
  const file = path.join(folder, 'file')
  const piece = new Uint8Array(1 << 20).fill(7)
  for (let at = 0; at < fileBytes; at += piece.length) fs.appendFileSync(file, piece)
  for (const count of [1, 8]) {
    console.log(
      `4 KiB random reads, uncached, ${count} readers: ${await measure('read', count, [file, `${fileBytes}`])}/s`,
    )
  }
  console.log(`lookups, 1 process: ${await measure('lookup', 1, [folder])}/s`)
  console.log(`lookups, 8 processes: ${await measure('lookup', 8, [folder])}/s`)
  console.log(`getattrs, 1 process: ${await measure('getattr', 1, [file])}/s`)
  console.log(`getattrs, 8 processes: ${await measure('getattr', 8, [file])}/s`)
  console.log(`creates, 1 process: ${await measure('create', 1, [folder])}/s`)
  const start = performance.now()
  await promisify(execFile)('dd', [`if=${file}`, 'of=/dev/null', 'bs=1M', 'status=none'])
  console.log(`sequential read: ${Math.round(fileBytes / 1e3 / (performance.now() - start))} MB/s`)
} finally {
  const counted = once(child.stdout, 'data')
  await promisify(execFile)('umount', ['-l', folder])
  console.log(
    `the clients did ${JSON.stringify(done)}; the daemon counted ${String((await counted)[0]).trim()}`,
  )
  fs.rmdirSync(folder)
}
