import type { CoordinatorBed, CoordinatorScene } from './coordinator-bed.js'
import { keyScenes } from './key-scenes.js'
import { leaseScenes } from './lease-scenes.js'
import { raceScenes } from './race-scenes.js'
import { watchScenes } from './watch-scenes.js'

export const coordinatorScenes: readonly CoordinatorScene[] = [
  ...keyScenes,
  ...leaseScenes,
  ...watchScenes,
  ...raceScenes,
]

/** What runs tests: that of `node:test`, or any of its kind. A test fails by rejecting. */
export interface AsyncTestRunner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: (name: string, body: () => Promise<void>) => unknown
}

/** The suite that every coordinator must pass: `withBed` makes a bed for a scene, plays it, and tidies up. */
export function runCoordinatorTests(
  { describe, it }: AsyncTestRunner,
  name: string,
  withBed: (play: (bed: CoordinatorBed) => Promise<void>) => Promise<void>,
): void {
  describe(`the ${name} coordinator`, () => {
    for (const scene of coordinatorScenes) it(scene.name, () => withBed(scene.play))
  })
}
