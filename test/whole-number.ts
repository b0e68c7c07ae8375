/** What a variable of the environment says; nothing where it is not set. Throws Error when it says no whole number. */
export function wholeNumber(variable: string): number | undefined {
  const text = process.env[variable];
  if (text === undefined) return undefined;
  if (!/^-?\d+$/.test(text)) throw new Error(`expected ${variable} as a whole number, found ${text}`);
  return Number(text);
}
