import type { Command } from 'commander'

/**
 * A new command of the program. The description's first paragraph is its summary in the list of commands; its lines are
 * joined, and filled by the help as wide as the terminal is. `examples` are lines for the end of its help.
 */
export function describedCommand(
  program: Command,
  name: string,
  description: string,
  examples: string,
): Command {
  const paragraphs = description.split('\n\n').map((paragraph) => paragraph.replaceAll('\n', ' '))
  return program
    .command(name)
    .summary(paragraphs[0] ?? '')
    .description(paragraphs.join('\n\n'))
    .addHelpText('after', `\nExamples:\n${examples}`)
}
