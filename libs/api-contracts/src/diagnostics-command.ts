/** What a node knows about its own process, beyond its figures and metrics. */
export interface WireDiagnosis {
  readonly process: {
    readonly pid: number;
    readonly nodeVersion: string;
    readonly platform: string;
    readonly arch: string;
    readonly cpus: number;
    readonly memory: Readonly<Record<string, number>>;
    readonly resources: Readonly<Record<string, number>>;
    /** Sizes of the parts of the heap. */
    readonly heapSpaces: readonly { readonly name: string; readonly usedBytes: number }[];
    /** What keeps the event loop alive, by kind. */
    readonly active: Readonly<Record<string, number>>;
  };
  readonly log: {
    /** The latest lines, the oldest first. */
    readonly lines: readonly string[];
    /** How many there were before. */
    readonly gone: number;
  };
}

/** What came of a heap snapshot. */
export type WireHeapSnapshot =
  | {
      readonly kind: 'written';
      /** On the machine of the node. */
      readonly file: string;
      readonly bytes: number;
      readonly ms: number;
    }
  | { readonly kind: 'refused'; readonly reason: string };

/** What the API asks of a node when somebody looks for a cause. */
export type DiagnosticsCommand =
  { readonly kind: 'diagnose' } | { readonly kind: 'write-heap-snapshot' };

/** Whether a command is of this group. */
export function isDiagnosticsCommand(command: {
  readonly kind: string;
}): command is DiagnosticsCommand {
  return command.kind === 'diagnose' || command.kind === 'write-heap-snapshot';
}

/** The answers by kind of command. */
export interface DiagnosticsAnswers {
  readonly diagnose: WireDiagnosis;
  readonly 'write-heap-snapshot': WireHeapSnapshot;
}
