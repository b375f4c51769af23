/**
 * What other file systems reach, each mounted through FUSE, on one machine (2 cores, 24 GiB, one virtual disk with ext4,
 * Linux 6.18, everything on the loopback), in November 2026; measured before, by the same kind of work, and not in this
 * run. Where there are two figures, repetitions lay between them. Two copies of everything, but for sshfs; MooseFS with
 * its default, by which an fsync does not reach a disk.
 */
export const peersSource =
  'two cores, 24 GiB, ext4 on a virtual disk, Linux 6.18, all on the loopback, November 2026; not measured in this run'

export const peerSystems = ['sshfs', 'GlusterFS', 'MooseFS', 'CephFS'] as const

export type PeerSystem = (typeof peerSystems)[number]

/** From the least to the most of several repetitions. */
type Figure = number | readonly [number, number]

interface PeerRow {
  /** The plain directory of the same machine. */
  readonly local: Figure
  /** Undefined where it cannot do that, or was not measured. */
  readonly systems: Readonly<Partial<Record<PeerSystem, Figure>>>
  /** `amount`: a figure of the whole run's amount, to be compared with a full run alone. */
  readonly of?: 'amount'
}

/** By the names of our rows, in their units. */
const figures: Readonly<Partial<Record<string, PeerRow>>> = {
  'random-read-warm': {
    local: 535_000,
    systems: { sshfs: 2300, GlusterFS: 520_000, MooseFS: 514_000, CephFS: 636_000 },
  },
  'random-read-cold': {
    local: 12_600,
    systems: { sshfs: 1900, GlusterFS: 3000, MooseFS: 3900, CephFS: [4800, 6600] },
  },
  'sequential-write': {
    local: [340, 480],
    systems: { sshfs: 200, GlusterFS: [160, 220], MooseFS: [106, 128], CephFS: [275, 298] },
  },
  'sequential-read-cold': {
    local: [950, 1800],
    systems: { sshfs: 130, GlusterFS: [300, 440], MooseFS: [460, 560], CephFS: [320, 420] },
  },
  'sequential-read-warm': {
    local: [5100, 6700],
    systems: { sshfs: 180, GlusterFS: 3500, MooseFS: [3900, 5100], CephFS: [3600, 4900] },
  },
  'sync-write': {
    local: 5500,
    systems: { sshfs: 1200, GlusterFS: [650, 860], MooseFS: [1000, 1100], CephFS: [200, 250] },
  },
  create: { local: 11_000, systems: { sshfs: 900, GlusterFS: 430, MooseFS: 2600, CephFS: 1000 } },
  stat: {
    local: [290_000, 420_000],
    systems: { sshfs: [35_000, 60_000], GlusterFS: 2000, MooseFS: 6700, CephFS: 2500 },
  },
  list: { local: 67_000, systems: { sshfs: 22_000, GlusterFS: 8000, MooseFS: 24_000, CephFS: 2800 } },
  rename: { local: 45_000, systems: { sshfs: 1800, GlusterFS: 370, MooseFS: 2200, CephFS: 950 } },
  unlink: { local: 110_000, systems: { sshfs: 2300, GlusterFS: 740, MooseFS: 3600, CephFS: 1300 } },
  'create-sync': { local: 2400, systems: { sshfs: 450, GlusterFS: 170, MooseFS: 610, CephFS: 200 } },
  untar: {
    local: [0.2, 0.35],
    systems: { sshfs: 8, GlusterFS: 14.3, MooseFS: 5.6, CephFS: 5 },
    of: 'amount',
  },
  'git-commit': {
    local: [0.3, 0.5],
    systems: { sshfs: 9.9, GlusterFS: 23, MooseFS: 10, CephFS: 34 },
    of: 'amount',
  },
  'git-status': {
    local: 0.015,
    systems: { sshfs: 0.058, GlusterFS: 1.1, MooseFS: 0.26, CephFS: 0.61 },
    of: 'amount',
  },
  sqlite: { local: 970, systems: { sshfs: 130, GlusterFS: 62, MooseFS: 132, CephFS: 51 } },
  // GlusterFS and CephFS with their caches off: with them on, what was written was never seen.
  visible: { local: [0.05, 0.14], systems: { GlusterFS: 1.6, MooseFS: 1.5, CephFS: 2.4 } },
  'lock-alone': { local: 450_000, systems: { GlusterFS: 1400, MooseFS: 3100, CephFS: 1600 } },
  'lock-hand-over': {
    local: 33_000,
    systems: { GlusterFS: [1000, 2300], MooseFS: [5000, 6900], CephFS: [2400, 3000] },
  },
}

/** What others reach in this row; undefined where they were not measured, or did another amount. */
export function peersIn(row: string, amount: 'full' | 'quick'): PeerRow | undefined {
  const found = figures[row]
  return found?.of === 'amount' && amount === 'quick' ? undefined : found
}

export function middleOf(figure: Figure): number {
  return typeof figure === 'number' ? figure : Math.sqrt(figure[0] * figure[1])
}
