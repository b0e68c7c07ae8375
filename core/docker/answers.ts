/** A text by which a refusal of Docker is recognised. Other refusals are recognised by their HTTP status. */
interface Answer {
  readonly text: RegExp;
  readonly from: string;
  /** The case of test/contract in which a real daemon answered it; `none` where there is none. */
  readonly contract: string;
}

export const answers = {
  /** Nothing listens on the socket, or there is none. */
  noDaemon: {
    text: /Cannot connect to the Docker daemon|no such file/i,
    from: "docker system dial-stdio",
    contract: "none",
  },
} satisfies Readonly<Record<string, Answer>>;
