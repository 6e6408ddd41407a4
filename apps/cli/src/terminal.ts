/** What the program sees of the process around it; tests have one in memory. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether a person reads the output. */
  readonly isInteractive: boolean;
  /** Aborted when the user wants an end. */
  readonly stop: AbortSignal;
  /** Output of the command, ended by a line feed. */
  print(text: string): void;
  /** Output as it is; for redrawn screens and downloads. Resolves when more is welcome. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** What is about the command and not of it. */
  note(text: string): void;
  /** All of the standard input. */
  readAll(): Promise<Buffer>;
  /** Asks for a text that is not shown. @throws UsageError when nobody can be asked. */
  askSecret(question: string): Promise<string>;
}
