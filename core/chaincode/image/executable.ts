import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { FabricError } from "../../error.ts";

const machines: Readonly<Record<number, string>> = { 0x3e: "amd64", 0xb7: "arm64", 0xf3: "riscv64", 0x15: "ppc64le" };
const PT_INTERP = 3;

/** Whether a file begins as a Linux executable does. */
export function isExecutable(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, 4)).equals(Buffer.from("\x7fELF", "latin1"));
}

/**
 * The processor that an executable is for, as Docker names it. Throws `usage` unless it runs by itself: an image that holds
 * nothing else has no libraries. (ELF-64, little-endian: what Go and Rust make for Linux.)
 */
export function architectureOfExecutable(program: Buffer, name: string): string {
  const refuse = (found: string): FabricError =>
    new FabricError("usage", `expected ${name} to be a statically linked 64-bit Linux program, found ${found}`, {
      hint: "CGO_ENABLED=0 GOOS=linux go build -o chaincode .",
    });
  if (program.length < 64 || program.readUInt8(4) !== 2 || program.readUInt8(5) !== 1) throw refuse("another format");
  const machine = program.readUInt16LE(18);
  const [offset, size, count] = [
    Number(program.readBigUInt64LE(32)),
    program.readUInt16LE(54),
    program.readUInt16LE(56),
  ];
  if (offset + size * count > program.length) throw refuse("half of one");
  for (let index = 0; index < count; index++) {
    if (program.readUInt32LE(offset + index * size) === PT_INTERP) throw refuse("one that needs shared libraries");
  }
  const architecture = machines[machine];
  if (architecture === undefined) throw refuse(`one for the machine 0x${machine.toString(16)}`);
  return architecture;
}

/** The layer of an image that holds a program as what a peer starts (core/chaincode/platforms/golang/platform.go). */
export function executableLayer(program: Buffer): Readable {
  const layer = pack();
  const common = { uid: 0, gid: 0, mtime: new Date(0), mode: 0o755 };
  // The peer uploads TLS files below /etc, programs expect a /tmp.
  for (const name of ["etc/", "usr/", "usr/local/", "usr/local/bin/"])
    layer.entry({ ...common, name, type: "directory" });
  layer.entry({ ...common, name: "tmp/", type: "directory", mode: 0o1777 });
  layer.entry({ ...common, name: "usr/local/bin/chaincode", size: program.length }, program);
  layer.finalize();
  return Readable.from(layer, { objectMode: false });
}
