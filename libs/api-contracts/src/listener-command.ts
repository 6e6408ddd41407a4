import type { WireSettingFault } from './config-command.ts';

/** What is stored of a listener: keys that lie above those of the configuration of every node. */
export interface WireListenerSettings {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly revision: number;
}

/** What came of a change of a listener. */
export type WireListenerChange =
  | { readonly kind: 'stored'; readonly stored: WireListenerSettings }
  | { readonly kind: 'conflict' | 'absent' | 'full' }
  | { readonly kind: 'invalid'; readonly faults: readonly WireSettingFault[] };

/** What the API asks of a node about listeners that are made at run time. */
export type ListenerCommand =
  | { readonly kind: 'listener-settings' }
  | {
      readonly kind: 'put-listener';
      readonly name: string;
      readonly settings: Readonly<Record<string, unknown>>;
      /** That is to be replaced; absent where none is stored. */
      readonly revision?: number | undefined;
    }
  | { readonly kind: 'remove-listener'; readonly name: string; readonly revision: number }
  | { readonly kind: 'refresh-listeners' };

const LISTENER_KINDS: ReadonlySet<string> = new Set<ListenerCommand['kind']>([
  ...(['listener-settings', 'put-listener', 'remove-listener', 'refresh-listeners'] as const),
]);

/** Whether a command is of this group. */
export function isListenerCommand(command: { readonly kind: string }): command is ListenerCommand {
  return LISTENER_KINDS.has(command.kind);
}

/** The answers by kind of command. */
export interface ListenerAnswers {
  readonly 'listener-settings': {
    readonly stored: readonly WireListenerSettings[];
    /** The names of those that the configuration of the node has. */
    readonly configured: readonly string[];
  };
  readonly 'put-listener': WireListenerChange;
  readonly 'remove-listener': WireListenerChange;
  /** Why the node has some not as they are stored. */
  readonly 'refresh-listeners': {
    readonly refusals: readonly { readonly name: string; readonly detail: string }[];
  };
}
