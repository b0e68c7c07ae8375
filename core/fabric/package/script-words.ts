/** One command of a script in package.json. */
export interface ScriptCommand {
  readonly words: readonly string[];
  /** Whether it certainly runs, and a failure of it is one of the script: nothing but "&&" stands before and behind it. */
  readonly sure: boolean;
}

const token = /"((?:[^"\\]|\\.)*)"|'([^']*)'|(&&|\|\||[;&|\n])|(?:[^\s"'&|;\\]|\\.)+|\s/gsy;

/** The commands of a script as `sh -c` splits it into words; what a shell would fill in ($NAME) is left as it is. */
export function commandsOf(script: string): readonly ScriptCommand[] {
  const commands: string[][] = [[]];
  let sure = true;
  let isOpen = false;
  for (const [text, double, single, operator] of script.matchAll(token)) {
    const words = commands.at(-1) ?? [];
    if (operator !== undefined) {
      if (operator !== "&&") sure = false;
      commands.push([]);
      isOpen = false;
    } else if (/^\s$/.test(text)) isOpen = false;
    else {
      const word = single ?? (double ?? text).replaceAll(/\\(.)/gs, "$1");
      if (isOpen) words.push(`${words.pop() ?? ""}${word}`);
      else words.push(word);
      isOpen = true;
    }
  }
  return commands.filter((words) => words.length > 0).map((words) => ({ words, sure }));
}
