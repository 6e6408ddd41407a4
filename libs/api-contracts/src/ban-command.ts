import type { Condition } from './filters.ts';

/** What a ban is on. */
export interface WireBanSubject {
  readonly kind: 'client_id' | 'client_id_regex' | 'username' | 'address';
  readonly value: string;
}

/** A ban that somebody wants. */
export interface WireNewBan extends WireBanSubject {
  readonly reason: string;
  /** Absent: for ever. */
  readonly untilMs?: number | undefined;
}

/** Somebody who may not connect. */
export interface WireBan extends WireNewBan {
  readonly id: string;
  readonly by: 'admin' | 'flapping';
  readonly createdAtMs: number;
  readonly revision: number;
}

/** Why there cannot be a ban. `invalid`: nobody can be that. `full`: there are too many. `costly`: the patterns would take too long. */
export interface WireBanRefusal {
  readonly kind: 'invalid' | 'full' | 'costly';
}

/** What is to be changed: a ban is made, or lifted. */
export type WireBanWish =
  | { readonly kind: 'add'; readonly ban: WireNewBan }
  | { readonly kind: 'remove'; readonly id: string };

/**
 * What came of it. `exists`: there was one in force already. `possible`: a dry run, and nothing stands against it. `absent`: there was none to be lifted.
 */
export type WireBanChange =
  | { readonly kind: 'stored' | 'exists'; readonly ban: WireBan }
  | { readonly kind: 'removed' | 'absent'; readonly id: string }
  | { readonly kind: 'possible'; readonly id: string }
  | WireBanRefusal;

/** What came of a ban that was to be as somebody says. */
export type WireBanPut =
  | { readonly kind: 'stored'; readonly ban: WireBan }
  | { readonly kind: 'conflict' | 'absent' }
  | WireBanRefusal;

/** What the API asks of a node about who may not connect. */
export type BanCommand =
  | {
      readonly kind: 'bans';
      readonly after?: string;
      readonly limit: number;
      readonly conditions: readonly Condition[];
    }
  | { readonly kind: 'ban'; readonly id: string }
  /** One after the other; a dry run changes nothing. */
  | {
      readonly kind: 'change-bans';
      readonly wishes: readonly WireBanWish[];
      readonly dryRun?: boolean | undefined;
    }
  /** Creates without a revision, else replaces exactly that one. */
  | { readonly kind: 'put-ban'; readonly ban: WireNewBan; readonly revision?: number }
  /** Lifts exactly this revision, or whichever there is. */
  | { readonly kind: 'remove-ban'; readonly id: string; readonly revision?: number }
  | { readonly kind: 'flapping' }
  /** Replaces exactly this revision of the settings; 0 when none were stored. */
  | {
      readonly kind: 'put-flapping';
      readonly settings: WireFlapping;
      readonly revision: number;
    };

/** When coming and going is too much. 0 as a maximum sets no bound. */
export interface WireFlapping {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly windowSeconds: number;
  readonly banSeconds: number;
}

/** The settings in force, and whose they are. */
export interface WireStoredFlapping {
  readonly settings: WireFlapping;
  readonly source: 'config' | 'api';
  /** 0 for those of the configuration. */
  readonly revision: number;
}

/** The answers by kind of command. */
export interface BanAnswers {
  readonly bans: { readonly items: readonly WireBan[]; readonly hasMore: boolean };
  readonly ban: { readonly ban?: WireBan | undefined };
  readonly 'change-bans': { readonly changes: readonly WireBanChange[] };
  readonly 'put-ban': WireBanPut;
  readonly 'remove-ban': { readonly kind: 'stored' | 'conflict' | 'absent' };
  readonly flapping: WireStoredFlapping;
  readonly 'put-flapping':
    | { readonly kind: 'stored'; readonly stored: WireStoredFlapping }
    | { readonly kind: 'conflict' };
}
