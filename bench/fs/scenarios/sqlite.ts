import { installed } from '../../peers/installed.js'
import type { Scenario } from '../scenario.js'

/** A database with the defaults of sqlite3: a journal that is deleted, and everything flushed. */
export const sqlite: Scenario = {
  rows: [{ name: 'sqlite', title: 'transactions of sqlite3, each an INSERT of one row', unit: '/s' }],
  limitMs: 120_000,
  open: async ({ directory }, stage) => {
    const { transactions } = stage.amounts
    const agent = await stage.agent(0)
    const program = installed('sqlite3')
    const insert = "INSERT INTO entries (text) VALUES ('a row of a table');\n"
    let round = 0
    return {
      round: async () => {
        const args = [`database-${++round}`]
        const create = 'CREATE TABLE entries (id INTEGER PRIMARY KEY, text TEXT);\n'
        await agent.call('run', { program, args, cwd: directory, input: create })
        const input = insert.repeat(transactions)
        const { seconds } = await agent.call('run', { program, args, cwd: directory, input })
        return { sqlite: transactions / seconds }
      },
    }
  },
}
