import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CrewScript } from './crew-script.js'
import type { Section } from './crew-section.js'

const folder = fileURLToPath(new URL('../../../test/transcripts/', import.meta.url))
const isUpdate = process.env['KHAZANA_UPDATE_TRANSCRIPTS'] === '1'

const nodes = [
  { name: 'H' },
  { name: 'A', parent: 'H' },
  { name: 'B', parent: 'H' },
  { name: 'C', parent: 'H' },
]

/** Runs the script, and compares what it wrote down with the golden file. */
function transcript(file: string, title: string, play: (script: CrewScript) => void, places = nodes): void {
  test(`${file}: ${title}`, () => {
    const script = new CrewScript(places)
    script.say(title)
    play(script)
    const text = `${script.lines.join('\n')}\n`
    const path = `${folder}${file}.txt`
    if (isUpdate) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(path, text)
    }
    assert.equal(
      text,
      readFileSync(path, 'utf8'),
      'to accept a change: KHAZANA_UPDATE_TRANSCRIPTS=1, and read the difference',
    )
  })
}

/** The site writes the page, and keeps the token. Not written down. */
function prepare(script: CrewScript, site: string, first = 0, count = 1): void {
  const kept = script.lines.length
  const section = script.lock(site, 'write', first, count)
  script.finish()
  script.unlock(section)
  script.finish()
  script.lines.length = kept
}

function isOpen(section: Section): void {
  assert.equal(section.state, 'open')
}

transcript(
  'figure-2-lock-and-fetch',
  'Lock and fetch: a page at node A, when node B owns it (Figure 2 of the paper).',
  (script) => {
    prepare(script, 'B')
    script.say(`
    B wrote p0 some time ago and has kept the exclusive token. H is the home of the region. A wants to read.
    Steps 1 to 3, obtaining the region descriptor, have happened: A knows that H is the home.
    Step 4: the page directory of A has nothing of p0, so this is a miss.
    Step 5: the consistency manager at A is asked for the lock.
    Step 6: it asks its peer for the right. It asks the home, which alone knows who owns the page.`)
    const section = script.lock('A', 'read', 0)
    script.say(`
    The home tells the owner to go down to a shared token, and to hand another one to A.
    Steps 7 to 9: B sends its copy of p0 straight to A, which caches it.
    Step 10: with the copy comes the right. B tells the home that it has handed it over.
    Step 11: A grants the lock, and confirms to the home that it has the token.`)
    script.run()
    isOpen(section)
    script.say(`
    Steps 12 and 13: the requester reads p0 out of A's memory, under the lock.
    To unlock costs no message. The token stays, and so the next lock is a hit: Figure 2 without steps 6 to 10.`)
    script.unlock(section)
    script.unlock(script.lock('A', 'read', 0))
  },
)

transcript('upgrade', 'Writing after reading: the right travels, the bytes do not.', (script) => {
  prepare(script, 'B')
  const reader = script.lock('A', 'read', 0)
  script.run()
  script.unlock(reader)
  script.say(`
    A and B now share p0. A wants to write. The question says which version A has: it is the newest.`)
  const writer = script.lock('A', 'write', 0)
  script.say(`
    The home takes B's token back. It has a right to nothing then, though it may keep the bytes for later.
    A gets the exclusive token for the version that it has: no "+bytes" in the grant.`)
  script.run()
  isOpen(writer)
  script.say(`
    When the lock ends, what was written goes to the home and to its disk. The unlock is over when the disk is done.`)
  script.unlock(writer)
  script.finish()
})

transcript('two-writers', 'Two writers take turns.', (script) => {
  const first = script.lock('A', 'write', 0)
  script.say('Nobody has p0 yet. The home gives it out itself: version 0 is zeros.')
  script.run()
  script.say('B waits at the home, which has told A to hand the page to B. A still has it locked.')
  const second = script.lock('B', 'write', 0)
  script.run()
  script.say(`
    A unlocks. Its commit is on the way to the disk: until it is durable, no other site may see what it wrote. So A
    does not hand the page to B itself. It gives it back to the home, which has the bytes by then and waits for its disk.`)
  script.unlock(first)
  script.run()
  script.durable()
  script.run()
  isOpen(second)
  script.say(`
    B writes. Once that is durable, with nobody waiting, the token stays at B. When A comes again, nothing is on its
    way to the disk: B hands the page straight over.`)
  script.unlock(second)
  script.finish()
  const third = script.lock('A', 'write', 0)
  script.run()
  isOpen(third)
})

transcript('recall-while-locked', 'A recall waits for the locks that use the page.', (script) => {
  prepare(script, 'A')
  const long = script.lock('A', 'read', 0)
  script.say(
    'A reads p0 under a lock. B wants to write: A is told to give the page up, and does nothing yet.',
  )
  const writer = script.lock('B', 'write', 0)
  script.run()
  script.say(`
    A still has the right, but takes no new lock: else its own readers, coming again and again, could keep B waiting
    for ever. The new reader queues, and A asks the home for a new token only when it has given this one up.`)
  const late = script.lock('A', 'read', 0)
  script.run()
  assert.equal(late.state, 'waiting')
  script.say('The lock ends, and A obeys at once.')
  script.unlock(long)
  script.run()
  isOpen(writer)
  script.say('B writes and unlocks. It has been told by then to share the page with A again.')
  script.unlock(writer)
  script.finish()
  isOpen(late)
})

transcript('hand-over', 'From owner to requester, with the home as the third.', (script) => {
  prepare(script, 'A')
  script.say(`
    A owns p0. B asks the home for it, to write. The home could fetch the token from A and then give it to B, which is
    four messages one after the other. It tells A to hand it to B instead: B has it after three.`)
  const section = script.lock('B', 'write', 0)
  script.run()
  isOpen(section)
  script.say(`
    The home hears of it from both. Only when B has accepted does it let others have the page: while the token travels,
    nobody can say who has it. C has to wait for that.`)
  script.release(section)
  const next = script.lock('C', 'write', 0)
  script.run()
  isOpen(next)
  script.say(`
    If A cannot reach B it says so, by yielding without handing over, and the token goes by the home.`)
  script.release(next)
  script.happens('(C and A cannot reach each other)', (network) => {
    const sibling = network.siblings.find(({ ends }) =>
      ends.every(({ name }) => name === 'A' || name === 'C'),
    )
    assert(sibling !== undefined)
    network.loseSibling(sibling)
  })
  const last = script.lock('A', 'write', 0)
  script.run()
  isOpen(last)
})

transcript('invalidation', 'A writer among many readers.', (script) => {
  prepare(script, 'H')
  const readers = ['A', 'B', 'C'].map((name) => script.lock(name, 'read', 0))
  script.run()
  for (const reader of readers) script.unlock(reader)
  script.say('A, B and C have read p0 and share its token. B still reads. The home itself wants to write.')
  const slow = script.lock('B', 'read', 0)
  const writer = script.lock('H', 'write', 0)
  script.say('All are recalled at once. A and C, where no lock is held, yield at once.')
  script.run()
  script.say('B yields when its reader is done. Then the home writes. It needs no message, but its disk.')
  script.unlock(slow)
  script.run()
  isOpen(writer)
  script.unlock(writer)
  script.durable()
  script.say('Who reads again has an old version, and gets the bytes.')
  script.lock('A', 'read', 0)
  script.run()
})

transcript(
  'client-of-a-node',
  'Three levels: a client k below node A, whose home is H.',
  (script) => {
    prepare(script, 'B')
    script.say(`
      A client is to its node what a node is to the home. k asks A, and A asks H for what it does not have itself.
      Then A lends k what it got: all of it here, so that A itself may use p0 no more until k gives it back.`)
    const client = script.lock('k', 'write', 0)
    script.run()
    isOpen(client)
    script.say(`
      What k wrote goes up to A, on to H, and to the disk there. The answer comes down the same way.`)
    script.unlock(client)
    script.finish()
    script.say('k still has the token: its next lock is a hit, two levels away from the home.')
    script.unlock(script.lock('k', 'read', 0))
    script.say('B wants to read. H recalls A, A recalls k, and both keep a shared token.')
    const reader = script.lock('B', 'read', 0)
    script.run()
    isOpen(reader)
    script.say('A can read as well now, without a message: it has the bytes since they passed through it.')
    script.unlock(script.lock('A', 'read', 0))
  },
  [...nodes, { name: 'k', parent: 'A' }],
)

transcript('home-crash', 'The home dies, and what it must not do when it comes back.', (script) => {
  prepare(script, 'A')
  script.say(`
    A owns p0 and writes it again. The home dies before its disk has the second commit. A does not know yet, and goes on
    reading what it wrote, but nothing of that is confirmed: those sections wait for the commit, too.`)
  const lost = script.lock('A', 'write', 0)
  script.unlock(lost)
  script.run()
  const reader = script.lock('A', 'read', 0)
  script.unlock(reader)
  script.happens('(H dies and starts again from its disk)', (network) => {
    network.crashHome(0)
  })
  script.say(`
    The new H knows what is durable, and nothing of tokens. Somebody may still be reading p0 under one from before, or be about to
    write to it. Until a lease has passed, which all old tokens end with, H gives none: B and C have to wait.`)
  script.happens('(B and C notice and connect again)', (network) => {
    for (const name of ['B', 'C']) {
      network.tellChild(script.link(name))
      network.connect(script.link(name))
    }
  })
  const early = script.lock('B', 'read', 0)
  script.run()
  assert.equal(early.state, 'waiting')
  const writer = script.lock('C', 'write', 0)
  script.run()
  assert.equal(writer.state, 'waiting')
  script.say(`
    A notices. Its right is void. Whether its commit became durable A does not know. It drops the bytes, as they may never
    have been, but for those of the commit, and asks for the page, and for what H has stored of it: its turn is after C's.`)
  script.happens('(A notices and connects again)', (network) => {
    network.tellChild(script.link('A'))
    network.connect(script.link('A'))
  })
  assert.equal(lost.state, 'ending')
  assert.equal(reader.state, 'ending')
  script.say('The lease has passed. First come, first served: B reads version 1.')
  script.happens('(grace ends)', (network) => {
    network.endGrace()
  })
  script.run()
  isOpen(early)
  script.unlock(early)
  script.run()
  isOpen(writer)
  script.say(`
    C writes. H numbers what is written in this life of it above all before, and remembers that version 1 was what C wrote over. So A, whose
    version 2 is not there, learns that it never was, and does not do it now, as that would undo what C did. It says that the write did not happen.`)
  script.unlock(writer)
  script.finish()
  assert.equal(lost.state, 'failed')
  assert.equal(reader.state, 'failed')
})

transcript(
  'release-in-doubt',
  'The home dies, and what was on its way to it is done at the next one.',
  (script) => {
    prepare(script, 'A')
    script.say('A owns p0 and writes it again. The home dies before its disk has that.')
    const lost = script.lock('A', 'write', 0)
    script.unlock(lost)
    script.run()
    script.happens('(H dies and starts again from its disk)', (network) => {
      network.crashHome(0)
    })
    script.say(`
    A notices, and asks for the page and for what is stored of it, with the right to write: so nobody can come in between. Once H may
    give that, it is version 1: the version before. A writes its bytes again, under a number of now, and whoever unlocked hears that it is done.`)
    script.happens('(A notices and connects again)', (network) => {
      network.tellChild(script.link('A'))
      network.connect(script.link('A'))
    })
    script.happens('(grace ends)', (network) => {
      network.endGrace()
    })
    script.finish()
    assert.equal(lost.state, 'done')
  },
)

transcript('release-that-was-done', 'The home dies when all was done but to say so.', (script) => {
  prepare(script, 'A')
  const lost = script.lock('A', 'write', 0)
  script.unlock(lost)
  script.run()
  script.say('The disk has it. H dies before A hears of it.')
  script.happens('(H dies and starts again from its disk)', (network) => {
    network.crashHome(1)
  })
  script.happens('(A notices and connects again)', (network) => {
    network.tellChild(script.link('A'))
    network.connect(script.link('A'))
  })
  script.happens('(grace ends)', (network) => {
    network.endGrace()
  })
  script.run()
  script.say('Version 2 is stored, which nobody but A can have given: it is done.')
  assert.equal(lost.state, 'done')
})

transcript('cancel', 'A lock that is given up while it waits.', (script) => {
  prepare(script, 'A')
  const held = script.lock('A', 'read', 0)
  const section = script.lock('B', 'write', 0)
  script.run()
  script.say(`
    B's caller has no time left. B takes its question back. The home forgets it, together with the order that A has to
    hand the page to B.`)
  script.cancel(section)
  script.run()
  script.say(`
    A's lock ends, and A obeys the order, of whose end it does not know. The token that comes to B fits no open
    question, and is void. A's yield tells the home that A has nothing left: the home has the page back, and the bytes.`)
  script.unlock(held)
  script.run()
  script.say('So the next to ask gets it from the home.')
  const next = script.lock('C', 'write', 0)
  script.run()
  isOpen(next)
})

transcript('disk-full', 'A commit that fails for lack of space.', (script) => {
  prepare(script, 'A')
  script.say(`
    A writes twice. It need not wait for the disk between. And it reads what it wrote: that reader is told that it is
    done only when what it saw is durable.`)
  const first = script.lock('A', 'write', 0)
  script.unlock(first)
  const second = script.lock('A', 'write', 0)
  script.unlock(second)
  const reader = script.lock('A', 'read', 0)
  script.unlock(reader)
  script.run()
  script.say(`
    B wants to read. It must not see versions 2 and 3 before they are durable.`)
  const other = script.lock('B', 'read', 0)
  script.run()
  assert.equal(other.state, 'waiting')
  script.say(`
    There is no room for the first commit. The second was written on top of it, and fails with it. The home goes back
    to version 1. What A has is void, and the home says so. It goes on counting on A's token until A has answered:
    A may have said something before it heard, and that must not be taken for what it says later.`)
  script.fail()
  script.run()
  assert.deepEqual([first.state, second.state, reader.state], ['failed', 'failed', 'failed'])
  script.say(
    'B sees version 1, as if A had never written again, by a number above all that A may have given. All that A did since was told to have failed.',
  )
  isOpen(other)
})
