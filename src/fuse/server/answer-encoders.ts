import { Errno } from '../errno.js'
import type { AttributesAnswer, Entry } from '../protocol/attributes.js'
import type { CreateAnswer, OpenAnswer, ReplyWriter, StatfsAnswer } from '../protocol/reply-writer.js'
import type { FileLock, FuseRequest, RequestOf } from '../protocol/requests.js'

/** Encodes the answer of an operation. Made once each, not per request. */
export type Encoder<T, Request extends FuseRequest = FuseRequest> = (
  writer: ReplyWriter,
  request: Request,
  answer: T,
) => Uint8Array

export const asEntry: Encoder<Entry> = (writer, request, answer) =>
  writer.entry(request.header.unique, answer)

export const asAttributes: Encoder<AttributesAnswer> = (writer, request, answer) =>
  writer.attributes(request.header.unique, answer)

export const asNothing: Encoder<void> = (writer, request) => writer.empty(request.header.unique)

export const asOpen: Encoder<OpenAnswer> = (writer, request, answer) =>
  writer.open(request.header.unique, answer)

export const asCreate: Encoder<CreateAnswer> = (writer, request, answer) =>
  writer.create(request.header.unique, answer)

export const asSize: Encoder<number> = (writer, request, answer) => writer.size(request.header.unique, answer)

export const asOffset: Encoder<number> = (writer, request, answer) =>
  writer.lseek(request.header.unique, answer)

export const asStatfs: Encoder<StatfsAnswer> = (writer, request, answer) =>
  writer.statfs(request.header.unique, answer)

export const asLock: Encoder<FileLock> = (writer, request, answer) =>
  writer.lock(request.header.unique, answer)

export const asXattr: Encoder<Uint8Array, RequestOf<'getxattr'> | RequestOf<'listxattr'>> = (
  writer,
  request,
  answer,
) => {
  if (request.size === 0) return writer.size(request.header.unique, answer.length)
  if (answer.length > request.size) throw Errno.of('ERANGE')
  return writer.data(request.header.unique, [answer], answer.length)
}

/** Of as many bytes as the names have characters. */
export const asXattrNames: Encoder<readonly string[], RequestOf<'listxattr'>> = (writer, request, answer) =>
  asXattr(
    writer,
    request,
    Uint8Array.from(answer.map((name) => `${name}\0`).join(''), (character) => character.charCodeAt(0)),
  )
