import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import type { HttpResponse } from '../../src/io/http.js'
import { nodeHttp } from '../../src/io/node/http.js'
import { TemporaryFolder } from '../cli/daemon.js'
import { HttpServer } from './http-server.js'

async function bodyOf(response: HttpResponse): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const chunk = await response.read()
    if (chunk === undefined) return text
    text += decoder.decode(chunk, { stream: true })
  }
}

const wait = { timeoutMs: 5_000 }

describe('asking over HTTP', () => {
  it('sends JSON, and gives status and body', async () => {
    await using server = await HttpServer.start((body, response, request) => {
      response.statusCode = 418
      response.end(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`)
    })
    const http = nodeHttp()
    const response = await http.post(`${server.url}/a/b`, '{}', wait)
    assert.equal(response.status, 418)
    assert.equal(await bodyOf(response), 'POST /a/b application/json {}')
    http.close()
  })

  it('gives a body as it comes, and uses the connection again', async () => {
    const ports = new Set<number | undefined>()
    await using server = await HttpServer.start((_, response, request) => {
      ports.add(request.socket.remotePort)
      response.write('first')
      setTimeout(() => response.end('second'), 50)
    })
    const http = nodeHttp()
    for (let round = 0; round < 2; round++) {
      const response = await http.post(server.url, '', wait)
      assert.equal(new TextDecoder().decode(await response.read()), 'first')
      assert.equal(await bodyOf(response), 'second')
    }
    assert.equal(ports.size, 1)
    http.close()
  })

  it('is unreachable where nobody listens', async () => {
    const http = nodeHttp()
    const server = await HttpServer.start(() => undefined)
    await server[Symbol.asyncDispose]()
    await assert.rejects(http.post(server.url, '', wait), { code: 'unreachable' })
    await assert.rejects(http.post('http://does-not-exist.invalid', '', wait), { code: 'unreachable' })
    await assert.rejects(http.post('ftp://127.0.0.1', '', wait), { code: 'invalid-argument' })
    await assert.rejects(http.post('nonsense', '', wait), { code: 'invalid-argument' })
    http.close()
  })

  it('does not know what became of a request whose connection is lost', async () => {
    await using server = await HttpServer.start((body, response, request) => {
      if (body === 'begin') response.write('some')
      setTimeout(() => request.socket.destroy(), 20)
    })
    const http = nodeHttp()
    await assert.rejects(http.post(server.url, '', wait), { code: 'outcome-unknown' })
    const response = await http.post(server.url, 'begin', wait)
    await assert.rejects(bodyOf(response), { code: 'outcome-unknown' })
    http.close()
  })

  it('waits no longer than told', async () => {
    await using server = await HttpServer.start(() => undefined)
    const http = nodeHttp()
    await assert.rejects(http.post(server.url, '', { timeoutMs: 50 }), { code: 'timeout' })
    const giveUp = new AbortController()
    const waiting = assert.rejects(http.post(server.url, '', { signal: giveUp.signal }), { code: 'aborted' })
    setTimeout(() => giveUp.abort(), 50)
    await waiting
    await assert.rejects(http.post(server.url, '', { signal: giveUp.signal }), { code: 'aborted' })
    http.close()
  })

  it('ends an answer that is not wanted any more', async () => {
    const seen = { isClosed: false }
    await using server = await HttpServer.start((_, response) => {
      response.write('endless')
      response.on('close', () => (seen.isClosed = true))
    })
    const http = nodeHttp()
    const response = await http.post(server.url, '', wait)
    await response.read()
    const reading = assert.rejects(response.read(), { code: 'outcome-unknown' })
    response.destroy()
    response.destroy()
    await reading
    for (let waited = 0; !seen.isClosed && waited < 100; waited++)
      await new Promise((done) => setTimeout(done, 10))
    assert.ok(seen.isClosed)
    http.close()
  })
})

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

describe('asking over TLS', { skip: !hasOpenssl && 'there is no openssl to make certificates with' }, () => {
  async function selfSigned(
    folder: TemporaryFolder,
  ): Promise<{ readonly cert: string; readonly key: string }> {
    const [keyFile, certFile] = [folder.in('key.pem'), folder.in('cert.pem')]
    const names = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1']
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    const made = spawnSync('openssl', [
      ...['req', '-x509', ...kind, ...names],
      ...['-keyout', keyFile, '-out', certFile],
    ])
    assert.equal(made.status, 0, made.stderr.toString())
    return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
  }

  it('believes whom it is told to, and shows who it is', async () => {
    await using folder = await TemporaryFolder.make()
    const own = await selfSigned(folder)
    const mutual = { ...own, ca: own.cert, requestCert: true, rejectUnauthorized: true }
    await using server = await HttpServer.start((body, response) => response.end(body), mutual)
    const http = nodeHttp({ ...own, ca: own.cert })
    const response = await http.post(server.url, 'hello', wait)
    assert.equal(await bodyOf(response), 'hello')
    http.close()
    const trusting = nodeHttp({ ca: own.cert })
    await assert.rejects(trusting.post(server.url, '', wait), /KhazanaError/)
    trusting.close()
    const doubting = nodeHttp()
    await assert.rejects(doubting.post(server.url, '', wait), { code: 'unreachable' })
    doubting.close()
  })
})
