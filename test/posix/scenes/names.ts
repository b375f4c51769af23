import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O } from '../flags.js'

export const namesTheme: PosixTheme = {
  name: 'names',
  scenes: [
    scene('have up to 255 bytes', async ({ a, fails, same, works }) => {
      const [longest, longer] = ['n'.repeat(255), 'n'.repeat(256)]
      await works(a.writeFile(longest, 'text'))
      same(await a.readFile(longest), 'text')
      same(await a.names('.'), [longest])
      await a.unlink(longest)
      await works(a.mkdir(longest))
      await works(a.writeFile(`${longest}/f`, ''))
      await a.unlink(`${longest}/f`)
      await works(a.rmdir(longest))
      await a.writeFile('f', '')
      await works(a.link('f', longest))
      await a.unlink(longest)
      await works(a.symlink('f', longest))
      await a.unlink(longest)
      await works(a.rename('f', longest))
      await works(a.rename(longest, 'f'))
      await fails(a.open(longer, O.WRONLY | O.CREAT), 'ENAMETOOLONG')
      await fails(a.mkdir(longer), 'ENAMETOOLONG')
      await fails(a.link('f', longer), 'ENAMETOOLONG')
      await fails(a.symlink('f', longer), 'ENAMETOOLONG')
      await fails(a.rename('f', longer), 'ENAMETOOLONG')
      await fails(a.stat(longer), 'ENAMETOOLONG')
      same(await a.names('.'), ['f'])
    }),
    scene('count bytes, not characters', async ({ a, works, fails, same }) => {
      // Two bytes each in UTF-8.
      const name = '\xc3\xa4'.repeat(127)
      await works(a.writeFile(`${name}x`, ''))
      await fails(a.writeFile(`${name}xy`, ''), 'ENAMETOOLONG')
      same(await a.names('.'), [`${name}x`])
    }),
    scene('may hold every byte but the slash and zero', async ({ a, same }) => {
      const names: string[] = []
      for (let byte = 1; byte < 256; byte++) {
        if (byte !== 0x2f && byte !== 0x2e) names.push(String.fromCharCode(byte))
      }
      for (const name of names) await a.writeFile(name, `byte ${name.charCodeAt(0)}`)
      same(await a.names('.'), [...names].sort())
      for (const name of names) same(await a.readFile(name), `byte ${name.charCodeAt(0)}`)
      for (const name of names) await a.unlink(name)
      same(await a.names('.'), [])
    }),
    scene('are bytes and nothing else: of no character set, case or normal form', async ({ a, same }) => {
      const names = [
        '\xff\xfe\xfd',
        '\xc3\x28',
        '\xed\xa0\x80',
        '\xf0\x9f\x98\x80',
        '\xc3\xa4',
        'a\xcc\x88',
        'A',
        'a',
        ' ',
        'a ',
        ' a',
        '...',
        '..a',
        '.a',
        'a.',
        '-rf',
        '*',
        'a\nb',
        'a\\b',
        'CON',
        '\x7f\x01\x1b[31m',
      ]
      for (const [index, name] of names.entries()) await a.writeFile(name, String(index))
      same(await a.names('.'), [...names].sort())
      for (const [index, name] of names.entries()) same(await a.readFile(name), String(index))
      await a.mkdir('dir')
      for (const name of names) await a.rename(name, `dir/${name}`)
      same(await a.names('dir'), [...names].sort())
      await a.symlink('dir/\xff\xfe\xfd', 'link')
      same(await a.readFile('link'), '0')
    }),
  ],
}
