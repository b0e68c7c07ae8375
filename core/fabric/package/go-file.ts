/** A Go file that is packed; tests count for nothing. */
export interface GoFile {
  /** From the module's folder. */
  readonly path: string;
  readonly text: string;
}

/** The name of a file's package. */
export const packageOf = (text: string): string | undefined => /^\ufeff?package\s+(\w+)/m.exec(text)?.[1];

export const isMainPackage = (text: string): boolean => packageOf(text) === "main";
