import type { Operation } from "fast-json-patch";

/** Changes of one list of a Pod. Indices are those of the list before the changes. */
export interface ListEdit<T> {
  readonly replace?: readonly { readonly index: number; readonly value: T }[];
  readonly remove?: readonly number[];
  readonly prepend?: readonly T[];
  readonly append?: readonly T[];
}

/** JSON patch operations that make an edit; none for an edit that changes nothing. A list may be missing, or null. */
export function listOperations<T>(
  path: string,
  list: readonly T[] | null | undefined,
  { replace = [], remove = [], prepend = [], append = [] }: ListEdit<T>,
): Operation[] {
  if (list === null || list === undefined) {
    const value = [...prepend, ...append];
    return value.length === 0 ? [] : [{ op: "add", path, value }];
  }
  return [
    ...replace.map(({ index, value }): Operation => ({ op: "replace", path: `${path}/${index}`, value })),
    // From the end, so that the remaining indices stay valid.
    ...remove.toSorted((a, b) => b - a).map((index): Operation => ({ op: "remove", path: `${path}/${index}` })),
    ...prepend.toReversed().map((value): Operation => ({ op: "add", path: `${path}/0`, value })),
    ...append.map((value): Operation => ({ op: "add", path: `${path}/-`, value })),
  ];
}
