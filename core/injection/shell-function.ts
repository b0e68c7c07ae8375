/** A function of sh that runs one command, at least one word, whose words stay as they are whatever is in them. `name` is ours. */
export function shellFunction(name: string, command: readonly string[]): string {
  return `${name}() { ${command.map(quoted).join(" ")}; }`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
