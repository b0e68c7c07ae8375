/** How many things are under way at once. */
export interface Slots {
  /** Resolves when a slot is free, in the order of the calls. */
  take(): Promise<void>;
  leave(): void;
}

export function newSlots(count: number): Slots {
  let free = count;
  const queue: (() => void)[] = [];
  return {
    take() {
      if (free > 0) {
        free -= 1;
        return Promise.resolve();
      }
      return new Promise((resolve) => void queue.push(resolve));
    },
    leave() {
      const next = queue.shift();
      if (next) next();
      else free += 1;
    },
  };
}
