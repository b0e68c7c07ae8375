/** Control characters (C0, DEL, C1) except tab and line feed, and characters that change the direction of text (Unicode TR 36). */
const commands = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Foreign text (names, messages of Pods and daemons, chaincode's output) for a terminal: control characters are shown instead of
 * executed, as in kubectl since CVE-2021-25743. Escape becomes "^[", characters without a letter become "\u009b".
 */
export function visible(text: string): string {
  return text.replaceAll(commands, (sign) => {
    const code = sign.charCodeAt(0);
    if (code < 0x20) return `^${String.fromCharCode(code + 0x40)}`;
    return code === 0x7f ? "^?" : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
