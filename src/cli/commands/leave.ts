import type { Command } from 'commander'
import { clientCommand, withClient } from '../client-command.js'
import type { ClientOptions } from '../client-command.js'
import { CountProgress } from '../count-progress.js'

/** Much data takes its time. */
const patience = { what: 'how long all of it may take', defaultMs: 24 * 60 * 60 * 1000 }

const description = `Make a node leave the cluster for good, while what it has is in use.

The node hands its regions to other nodes, those with most room first, then its address space and its duties, and stops. Clients
of other nodes notice a moment's delay for each region; its own clients lose their connection at the end. Its directory is of no
more use. An interrupt or the end of --timeout stops nothing that has been begun: see khazana nodes. Where the node cannot hand
over everything in that time, it says what is left, and goes on as a member.`

const examples = `  khazana leave --at ./data/b
  khazana leave --at 127.0.0.1:7401 --timeout 600`

export function addLeave(program: Command): void {
  const command = clientCommand(program, 'leave', description, examples, patience).action(
    ({ timeout = patience.defaultMs }: ClientOptions) =>
      withClient(command, async ({ khazana, wait }) => {
        using progress = new CountProgress('handing over', 'regions')
        await khazana.leave({
          ...wait,
          timeoutMs: timeout,
          onProgress: ({ regionsLeft, regionsTotal }) => {
            progress.update(regionsTotal - regionsLeft, regionsTotal)
          },
        })
      }),
  )
}
