import { connect, constants } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'

/** Of protobuf: a field of bytes. */
const wireTypeBytes = 2
const keyField = 1
const valueField = 2
/** Of gRPC, before a message: not compressed, and four bytes of length. */
const prefixBytes = 5

/** As little of an etcd client as it takes to put: gRPC on one connection, as etcd's own clients do, by Node's HTTP/2. */
export class EtcdClient {
  readonly #session: ClientHttp2Session

  private constructor(session: ClientHttp2Session) {
    this.#session = session
  }

  static async connect(port: number): Promise<EtcdClient> {
    const session = connect(`http://127.0.0.1:${port}`)
    await new Promise<void>((resolve, reject) => {
      session.once('error', reject)
      session.once('connect', () => resolve())
    })
    return new EtcdClient(session)
  }

  /** Resolves when etcd has acknowledged: it is on its disk then. */
  put(key: string, value: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_PATH]: '/etcdserverpb.KV/Put',
        [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
        [constants.HTTP2_HEADER_TE]: 'trailers',
      })
      let status: unknown
      const take = (headers: Readonly<Record<string, unknown>>): void => {
        status = headers['grpc-status'] ?? status
      }
      // An error alone comes with the head of the answer, everything else after the message.
      stream.on('response', take)
      stream.on('trailers', take)
      stream.on('error', reject)
      stream.on('close', () => {
        if (status === '0') resolve()
        else reject(new Error(`etcd does not put: status ${String(status)}`))
      })
      stream.resume()
      stream.end(putRequest(key, value))
    })
  }

  close(): void {
    this.#session.destroy()
  }
}

/** A PutRequest of etcd's protocol, as gRPC frames it. */
function putRequest(key: string, value: Uint8Array): Buffer {
  const keyBytes = Buffer.from(key)
  const message = [...bytesField(keyField, keyBytes), ...bytesField(valueField, value)]
  const prefix = Buffer.alloc(prefixBytes)
  prefix.writeUInt32BE(
    message.reduce((sum, part) => sum + part.length, 0),
    1,
  )
  return Buffer.concat([prefix, ...message])
}

function bytesField(field: number, bytes: Uint8Array): readonly Uint8Array[] {
  return [Uint8Array.of((field << 3) | wireTypeBytes, ...varint(bytes.length)), bytes]
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}
