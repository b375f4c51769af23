import { readFile } from 'node:fs/promises'
import type { TlsOptions } from '../io/http.js'
import { KhazanaError } from '../stdx/errors.js'

/** Files in PEM. Throws `invalid-argument` where one cannot be read, or a certificate has no key. */
export async function readTls(files: { ca?: string; cert?: string; key?: string }): Promise<TlsOptions> {
  if ((files.cert === undefined) !== (files.key === undefined)) {
    throw new KhazanaError(
      'invalid-argument',
      'a certificate for the coordinator needs its key, and a key its certificate',
    )
  }
  const read = async (path: string | undefined): Promise<string | undefined> => {
    if (path === undefined) return undefined
    try {
      return await readFile(path, 'utf8')
    } catch (cause) {
      throw new KhazanaError('invalid-argument', `${path} cannot be read`, { cause })
    }
  }
  const [ca, cert, key] = [await read(files.ca), await read(files.cert), await read(files.key)]
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}
