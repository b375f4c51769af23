export class BufferPool {
  constructor(bytesMax: number) { void bytesMax }
  take(bytes: number): Uint8Array { return new Uint8Array(bytes) }
  give(buffer: Uint8Array): void { void buffer }
}
