import { closeSync, existsSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";

/** Length and checksum of a record stand before it. */
const headerBytes = 8;

/** A file of records that only grows at its end. A record cut short by a kill is dropped when the file is opened again. */
export class RecordFile {
  readonly #descriptor: number;
  /** Where each record begins, and after the last where the next will. */
  readonly #offsets: number[] = [0];

  constructor(path: string) {
    this.#descriptor = openSync(path, existsSync(path) ? "r+" : "w+");
    this.#scan();
  }

  get count(): number {
    return this.#offsets.length - 1;
  }

  read(index: number): Buffer {
    const start = this.#offsets[index];
    const end = this.#offsets[index + 1];
    if (start === undefined || end === undefined) {
      throw new Error(`expected a record below ${this.count}, found ${index}`);
    }
    return this.#bytes(start + headerBytes, end - start - headerBytes);
  }

  /** Returns once the record is on disk. */
  append(...records: readonly Uint8Array[]): void {
    for (const record of records) {
      const header = Buffer.alloc(headerBytes);
      header.writeUInt32BE(record.length, 0);
      header.writeUInt32BE(crc32(record), 4);
      const start = this.#end();
      writeSync(this.#descriptor, Buffer.concat([header, record]), 0, headerBytes + record.length, start);
      this.#offsets.push(start + headerBytes + record.length);
    }
    fdatasyncSync(this.#descriptor);
  }

  /** Keeps the first `count` records. */
  truncate(count: number): void {
    this.#offsets.length = count + 1;
    ftruncateSync(this.#descriptor, this.#end());
    fdatasyncSync(this.#descriptor);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #scan(): void {
    const { size } = fstatSync(this.#descriptor);
    for (let start = 0; start + headerBytes <= size; start = this.#end()) {
      const header = this.#bytes(start, headerBytes);
      const length = header.readUInt32BE(0);
      const complete = start + headerBytes + length <= size;
      if (!complete || crc32(this.#bytes(start + headerBytes, length)) !== header.readUInt32BE(4)) {
        break;
      }
      this.#offsets.push(start + headerBytes + length);
    }
    ftruncateSync(this.#descriptor, this.#end());
  }

  #end(): number {
    return this.#offsets[this.#offsets.length - 1] ?? 0;
  }

  #bytes(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    readSync(this.#descriptor, bytes, 0, length, offset);
    return bytes;
  }
}
