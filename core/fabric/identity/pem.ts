/** A block of a PEM text (RFC 7468), with the headers that the older form has before its content (RFC 1421). */
export interface PemBlock {
  /** "CERTIFICATE", "EC PRIVATE KEY". */
  readonly label: string;
  /** "Proc-Type: 4,ENCRYPTED" and the like, a line each. */
  readonly headers: readonly string[];
  readonly bytes: Uint8Array;
}

/**
 * The blocks of a text, in its order; none when it is no PEM. What stands between them is passed over, as Go and OpenSSL do: a
 * certificate may have its fields in words before it. So are a byte order mark, line ends of Windows, spaces at both ends of a line, and
 * blocks that do not end or are not base64. Reads each line once.
 */
export function pemBlocks(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  let label: string | undefined;
  let lines: string[] = [];
  for (const written of text.split(/\r\n|\n|\r/)) {
    const line = written.trim();
    const begun = boundary(line, "BEGIN");
    if (begun !== undefined) {
      label = begun;
      lines = [];
    } else if (label !== undefined && !line.startsWith("-----")) {
      lines.push(line);
    } else if (label !== undefined) {
      const block = boundary(line, "END") === label ? blockOf(label, lines) : undefined;
      if (block) blocks.push(block);
      label = undefined;
    }
  }
  return blocks;
}

/** The inverse of `pemBlocks`, as Go writes PEM: 64 characters a line. */
export function printPem({ label, headers, bytes }: PemBlock): string {
  const content =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  const before = headers.length === 0 ? [] : [...headers, ""];
  return [`-----BEGIN ${label}-----`, ...before, ...content, `-----END ${label}-----`, ""].join("\n");
}

export const isCertificateBlock = ({ label }: PemBlock): boolean =>
  label === "CERTIFICATE" || label === "X509 CERTIFICATE";

function boundary(line: string, word: "BEGIN" | "END"): string | undefined {
  return /^-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----$/.exec(line)?.[1] === word
    ? line.slice(6 + word.length, -5)
    : undefined;
}

function blockOf(label: string, lines: readonly string[]): PemBlock | undefined {
  const first = lines.findIndex((line) => !line.includes(":"));
  const content = (first < 0 ? [] : lines.slice(first)).join("");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(content)) return undefined;
  return { label, headers: first < 0 ? lines : lines.slice(0, first), bytes: Buffer.from(content, "base64") };
}
