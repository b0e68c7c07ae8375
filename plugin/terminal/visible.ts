/** Control characters (C0, DEL, C1) but tab and line feed, and what turns the direction of text round (Unicode TR 36). */
const commands = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Text that others wrote (names, messages of Pods and daemons, what chaincode says), for a terminal: what it would obey instead of showing
 * is shown, as kubectl does since CVE-2021-25743. "^[" is escape; what has no letter is "\u009b".
 */
export function visible(text: string): string {
  return text.replaceAll(commands, (sign) => {
    const code = sign.charCodeAt(0);
    if (code < 0x20) return `^${String.fromCharCode(code + 0x40)}`;
    return code === 0x7f ? "^?" : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
