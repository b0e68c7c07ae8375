/** A function of sh that runs one command. Its words (one or more) are quoted, so that sh changes nothing in them; `name` is not quoted. */
export function shellFunction(name: string, command: readonly string[]): string {
  return `${name}() { ${command.map(quoted).join(" ")}; }`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
