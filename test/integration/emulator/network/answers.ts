import { AsyncLocalStorage } from "node:async_hooks";
import { InterceptingCall, type Interceptor, type StatusObject } from "@grpc/grpc-js";

/** A gRPC call of a node, and what came back; filled while it runs. */
export interface HeardCall {
  readonly kind: "call";
  readonly method: string;
  /** Address of the node. */
  readonly at: string;
  request?: unknown;
  readonly messages: unknown[];
  status?: StatusObject;
}

/** Something that a node answered in another way, in words of whoever asked. */
interface HeardFact {
  readonly kind: "fact";
  readonly what: string;
  readonly at?: string;
  readonly answer: unknown;
}

export type Heard = HeardCall | HeardFact;

const listening = new AsyncLocalStorage<Heard[]>();

/** Runs work, and puts what nodes answer to it into the list, in the order of asking. */
export function listen<T>(heard: Heard[], work: () => T): T {
  return listening.run(heard, work);
}

/** Notes an answer that no client of these tests has heard. */
export function hear(what: string, answer: unknown, at?: string): void {
  listening.getStore()?.push({ kind: "fact", what, answer, ...(at !== undefined && { at }) });
}

/** Runs work of which nobody notes anything: what nodes answer to it is another each time. */
export function unheard<T>(work: () => T): T {
  return listening.run([], work);
}

/** One look of a wait: what nodes answered to it counts when it has found what it looked for. */
export async function look<T>(work: () => Promise<T | undefined> | T | undefined): Promise<T | undefined> {
  const outer = listening.getStore();
  const heard: Heard[] = [];
  const found = await listening.run(heard, work);
  if (found !== undefined) outer?.push(...heard);
  return found;
}

/** For the clients of one node. */
export function hearing(at: string): Interceptor {
  return (options, next) => {
    const heard: HeardCall = { kind: "call", method: options.method_definition.path, at, messages: [] };
    listening.getStore()?.push(heard);
    return new InterceptingCall(next(options), {
      sendMessage: (message: unknown, send) => {
        heard.request = message;
        send(message);
      },
      start: (metadata, _, start) =>
        start(metadata, {
          onReceiveMessage: (message: unknown, receive: (message: unknown) => void) => {
            // Nothing comes with an error.
            if (message !== null && message !== undefined) heard.messages.push(message);
            receive(message);
          },
          onReceiveStatus: (status, receive) => {
            heard.status = status;
            receive(status);
          },
        }),
    });
  };
}
