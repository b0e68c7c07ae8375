import { EventEmitter } from "node:events";
import { status } from "@grpc/grpc-js";

interface EventSource {
  once(event: "cancelled" | "error" | "close", listener: () => void): unknown;
  emit(event: "error", error: { readonly code: number; readonly details: string }): unknown;
}

/** The streams that clients have open, so that a test can have them dropped. */
export class OpenStreams {
  readonly #drops = new EventEmitter().setMaxListeners(0);

  /** The signal aborts when the stream ends, for whatever reason. */
  track(stream: EventSource): AbortSignal {
    const ended = new AbortController();
    const drop = (): void => {
      stream.emit("error", { code: status.UNAVAILABLE, details: "transport is closing" });
      end();
    };
    const end = (): void => {
      this.#drops.off("drop", drop);
      ended.abort(new Error("context canceled"));
    };
    this.#drops.once("drop", drop);
    (["cancelled", "error", "close"] as const).forEach((event) => stream.once(event, end));
    return ended.signal;
  }

  dropAll(): void {
    this.#drops.emit("drop");
  }
}
