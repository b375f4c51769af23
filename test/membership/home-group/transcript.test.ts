import { describe, it } from 'node:test'
import { assertGolden } from '../../testing/golden-transcript.js'
import { GroupWorld } from './group-world.js'

const never = '(never)'

/** A world without trouble, but for what the story brings. */
class Story {
  readonly log: string[] = []
  #isTold = false
  readonly world = new GroupWorld({
    seed: 1,
    nodes: 3,
    replicas: 3,
    delay: () => 1,
    say: (line) => {
      if (!this.#isTold) return
      this.log.push(line)
      if (!line.startsWith(this.#awaited)) return
      this.#awaited = never
      this.world.time.after(this.#afterMs, () => this.world.write(['a']))
    },
  })
  #awaited = never
  #afterMs = 0

  /** Writes page a so long after such a line. */
  writeAfter(line: string, ms: number): void {
    this.#awaited = line
    this.#afterMs = ms
  }

  /** Prose, and then what happens in the time, in milliseconds. */
  tell(text: string, ms: number, act: () => void): void {
    if (this.log.length > 0) this.log.push('')
    for (const line of text.trim().split('\n')) this.log.push(`# ${line.trim()}`)
    this.#isTold = true
    act()
    this.world.time.runUntil(this.world.time.now + ms)
  }
}

describe('a home group', () => {
  it('outlives its backup and its primary', () => {
    const story = new Story()
    const { world } = story
    world.start()
    world.time.runUntil(10_000)
    world.write(['a', 'b'])
    world.time.runUntil(10_100)

    story.tell(
      `A is the primary of a home group, with the backups B and C; all have pages a and b. A user at A writes page a. The commit goes
      to A's own disk and to both backups at the same time. It is done when all three have it on their disks.`,
      100,
      () => world.write(['a']),
    )
    story.tell(
      `B dies. What is written now waits: B is a member, and may be the one that takes over next. A hears nothing of B for some time, and
      removes it at the coordinator, on condition that nobody has changed the record, and that A's own key is as A has
      put it. Only then is the commit acknowledged without B. A looks for another member; there is none.`,
      3_500,
      () => {
        world.crash(1)
        world.write(['b'])
      },
    )
    story.tell(
      `A writes once more, and dies when its disk has that and C has not: nobody was told that it is done. A's lease
      ends some seconds later, with its key. C, which is the first member that lives, takes over at once: the record is unchanged, and A's key is
      absent. A new reign begins. All that C has is acknowledged or will turn out never to have been; so it serves as soon as all of it is
      on its disk. There is no other member whose disk had to have it, too.`,
      7_000,
      () => {
        world.network.blocked.add('1>3')
        world.write(['a'])
        world.time.runUntil(world.time.now + 50)
        world.crash(0)
        world.network.blocked.clear()
      },
    )
    story.tell('A user at C writes page b.', 50, () => world.write(['b']))
    story.tell(
      `A starts again. By the record it is no member. C synchronises it, page by page. A commit of page a comes meanwhile, when C has read
      that page already, and has not sent it: A takes no notice of what it is told of a afterwards. So what A wrote last is gone, as
      nobody was told that it was done. When A has everything, C adds it.`,
      1_500,
      () => {
        world.restart(0)
        story.writeAfter('A -> C: have', 30)
      },
    )
    story.tell('From here on the word of A is needed, too.', 50, () => world.write(['a']))
    assertGolden('home-group', story)
  })
})
