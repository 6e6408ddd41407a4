/** Settings that were set at run time, as nodes keep them. */
export interface WireConfig {
  /** 0 when nothing was set yet. */
  readonly version: number;
  /** Sections with keys, as in the configuration. */
  readonly overrides: Readonly<Record<string, unknown>>;
  /** Who has made this version. */
  readonly by?: string | undefined;
  readonly atMs?: number | undefined;
  /** What a change has to name. */
  readonly revision: number;
}

/** Something that is wrong with a setting. */
export interface WireSettingFault {
  readonly kind: 'unknown' | 'invalid' | 'restart';
  readonly field: string;
  readonly problem: string;
  readonly fix: string;
}

/** What came of a change of settings. */
export type WireConfigChange =
  | { readonly kind: 'stored' | 'conflict' }
  | { readonly kind: 'invalid'; readonly faults: readonly WireSettingFault[] };

/** How grave an event of a log is. */
export type WireLogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a component of a node writes to its log. */
export interface WireComponentLevel {
  readonly component: string;
  readonly level: WireLogLevel;
  readonly source: 'set' | 'all' | 'config';
  readonly untilMs?: number | undefined;
}

/** What the API asks of a node about its settings. */
export type ConfigCommand =
  | { readonly kind: 'config' }
  | {
      readonly kind: 'put-config';
      readonly version: number;
      readonly overrides: Readonly<Record<string, unknown>>;
      readonly by: string;
      /** Of the version before. */
      readonly revision: number;
    }
  | {
      /** What would be wrong with settings on this node; nothing is stored. */
      readonly kind: 'check-config';
      readonly overrides: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'refresh-config' }
  | { readonly kind: 'log-levels' }
  | {
      readonly kind: 'set-log-level';
      /** All that have none of their own, if absent. */
      readonly component?: string | undefined;
      /** Absent: what was set is taken back. */
      readonly level?: WireLogLevel | undefined;
      /** When it ends by itself; never if absent. */
      readonly forMs?: number | undefined;
    };

const CONFIG_KINDS: ReadonlySet<string> = new Set<ConfigCommand['kind']>([
  ...(['config', 'put-config', 'check-config', 'refresh-config'] as const),
  ...(['log-levels', 'set-log-level'] as const),
]);

/** Whether a command is of this group. */
export function isConfigCommand(command: { readonly kind: string }): command is ConfigCommand {
  return CONFIG_KINDS.has(command.kind);
}

/** The answers by kind of command. */
export interface ConfigAnswers {
  readonly config: WireConfig;
  readonly 'put-config': WireConfigChange;
  readonly 'check-config': { readonly faults: readonly WireSettingFault[] };
  /** What the node goes by now; a refusal says why it is not what is stored. */
  readonly 'refresh-config': { readonly version: number; readonly refusal?: string | undefined };
  readonly 'log-levels': { readonly levels: readonly WireComponentLevel[] };
  /** `isKnown`: whether the node has such a component. */
  readonly 'set-log-level': {
    readonly levels: readonly WireComponentLevel[];
    readonly isKnown: boolean;
  };
}
