import type { WireQoS } from './wire-message.ts';

/** A subscription of a session in a backup. */
export interface WireBackupSubscription {
  readonly filter: string;
  readonly qos: WireQoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  readonly subscriptionIdentifier: number;
}

/** An inbound message of QoS 2 that was on its way. */
export interface WireBackupReceiving {
  readonly packetId: number;
  readonly digest: number;
  readonly sequence: number;
  readonly source: { readonly nodeId: string; readonly incarnation: number };
}

/** A durable session: all of it but its queue. */
export interface WireBackupSession {
  readonly clientId: string;
  readonly user?: string | undefined;
  readonly expiryIntervalSeconds: number;
  /** 0 of one whose client was connected, and of one that never ends. */
  readonly expiresAtMs: number;
  readonly subscriptions: readonly WireBackupSubscription[];
  readonly receivedPacketIds: readonly number[];
  readonly receiving: readonly WireBackupReceiving[];
  readonly releasedPacketIds: readonly number[];
  readonly lastSequence: number;
}

/** A queued message: its sequence, and the message as stores keep it, in base64. */
export type WireBackupQueued = readonly [sequence: number, message: string];

/** A place in a queue. */
export interface WireQueuePlace {
  readonly epoch: number;
  readonly sequence: number;
}

/** A session with the beginning of its queue. */
export interface WireSavedSession {
  readonly session: WireBackupSession;
  readonly queue: readonly WireBackupQueued[];
  /** Where the rest of the queue is to be asked for; undefined when there is none. */
  readonly next?: WireQueuePlace | undefined;
}

/** A delayed message as stores keep it, in base64. */
export interface WireBackupDelayed {
  readonly dueAtMs: number;
  readonly message: string;
}

/** What became of a session that was to be restored, as SessionAdmin says it. */
export interface WireSessionRestored {
  readonly kind:
    | 'restored'
    | 'connected'
    | 'present'
    | 'foreign'
    | 'elsewhere'
    | 'busy'
    | 'full'
    | 'expired'
    | 'failed'
    /** Not in a form that this node knows. */
    | 'unreadable';
  /** With `elsewhere`. */
  readonly nodeId?: string | undefined;
}

/** What became of a retained message. `present`: the topic has another one, which was not to be replaced. */
export type WireRetainedRestored = 'restored' | 'unchanged' | 'present' | 'expired' | 'unreadable';

/** What became of a delayed message. */
export type WireDelayedRestored = 'restored' | 'unchanged' | 'full' | 'disabled' | 'unreadable';

/** What the API asks of a node for a backup, and to restore one. Pages end early where messages are large. */
export type BackupCommand =
  /** Durable sessions of the cluster in the order of their ids, whoever owns them. A node that knows the listing does not list them anew. */
  | {
      readonly kind: 'backup-sessions';
      readonly listing: string;
      readonly after?: string | undefined;
      readonly limit: number;
    }
  /** More of a queue, up to the sequence that its session has named. */
  | {
      readonly kind: 'backup-queue';
      readonly clientId: string;
      readonly after: WireQueuePlace;
      readonly until: number;
    }
  /** One session. */
  | { readonly kind: 'backup-session'; readonly clientId: string }
  /** Pages of a listing are given in their order, and the latest once more if it is asked for. */
  | { readonly kind: 'backup-retained'; readonly listing: string; readonly page: number }
  | {
      readonly kind: 'backup-delayed';
      readonly after?: { readonly dueAtMs: number; readonly id: string } | undefined;
    }
  | {
      readonly kind: 'restore-sessions';
      readonly sessions: readonly Pick<WireSavedSession, 'session' | 'queue'>[];
      readonly replaces: boolean;
      readonly dryRun: boolean;
    }
  /** A session whose queue is large, piece by piece: the first one brings the session. */
  | {
      readonly kind: 'restore-session-part';
      readonly token: string;
      readonly session?: WireBackupSession | undefined;
      readonly queue: readonly WireBackupQueued[];
      readonly isLast: boolean;
      readonly replaces: boolean;
    }
  | {
      readonly kind: 'restore-retained';
      readonly messages: readonly string[];
      readonly replaces: boolean;
      readonly dryRun: boolean;
    }
  | {
      readonly kind: 'restore-delayed';
      readonly items: readonly WireBackupDelayed[];
      readonly dryRun: boolean;
    };

/** The answers by kind of command. */
export interface BackupAnswers {
  /** `after`: where the next page begins. */
  readonly 'backup-sessions': {
    readonly items: readonly WireSavedSession[];
    readonly after?: string | undefined;
  };
  readonly 'backup-queue': {
    readonly queue: readonly WireBackupQueued[];
    readonly next?: WireQueuePlace | undefined;
  };
  readonly 'backup-session': { readonly item?: WireSavedSession | undefined };
  /** `lost`: the node does not know the listing, or not this far. */
  readonly 'backup-retained': {
    readonly kind: 'page' | 'lost';
    readonly messages: readonly string[];
    readonly hasMore: boolean;
  };
  readonly 'backup-delayed': {
    readonly items: readonly WireBackupDelayed[];
    readonly next?: { readonly dueAtMs: number; readonly id: string } | undefined;
  };
  readonly 'restore-sessions': { readonly outcomes: readonly WireSessionRestored[] };
  /** Without an outcome the next piece is awaited. */
  readonly 'restore-session-part': { readonly outcome?: WireSessionRestored | undefined };
  readonly 'restore-retained': { readonly outcomes: readonly WireRetainedRestored[] };
  readonly 'restore-delayed': { readonly outcomes: readonly WireDelayedRestored[] };
}

const KINDS: Readonly<Record<BackupCommand['kind'], true>> = {
  'backup-sessions': true,
  'backup-queue': true,
  'backup-session': true,
  'backup-retained': true,
  'backup-delayed': true,
  'restore-sessions': true,
  'restore-session-part': true,
  'restore-retained': true,
  'restore-delayed': true,
};

/** Whether a command is about backups. */
export function isBackupCommand(command: { readonly kind: string }): command is BackupCommand {
  return Object.hasOwn(KINDS, command.kind);
}
