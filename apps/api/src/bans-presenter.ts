import type {
  AutoBanConfigView,
  BanCreate,
  BanView,
  WireBan,
  WireBanRefusal,
  WireFlapping,
  WireNewBan,
  WireStoredFlapping,
} from '#libs/api-contracts';
import { faulty } from './access-presenter.ts';
import { ProblemError } from './http/problem-error.ts';

/** A ban as nodes take it. @throws ProblemError for an end that has passed, and for a network that is to be an address. */
export function wireBanOf({ kind, value, reason, until }: BanCreate): WireNewBan {
  const isAddress = kind === 'ip' || kind === 'cidr';
  if (isAddress && value.includes('/') !== (kind === 'cidr')) {
    throw faulty('/value', kind === 'ip' ? 'A network is a cidr' : 'A network has a prefix length');
  }
  return { kind: isAddress ? 'address' : kind, value, reason, ...endOf(until) };
}

/** The end of a ban. @throws ProblemError for one that has passed. */
export function endOf(until: string | undefined): { readonly untilMs?: number } {
  if (until === undefined) return {};
  const untilMs = Date.parse(until);
  if (untilMs <= Date.now()) throw faulty('/until', 'It has passed');
  return { untilMs };
}

/** A ban as the API shows it. */
export function presentBan({ kind, createdAtMs, untilMs, ...ban }: WireBan): BanView {
  const shown = kind === 'address' ? (ban.value.includes('/') ? 'cidr' : 'ip') : kind;
  return {
    ...{ id: ban.id, kind: shown, value: ban.value, reason: ban.reason, by: ban.by },
    created_at: new Date(createdAtMs).toISOString(),
    until: untilMs === undefined ? null : new Date(untilMs).toISOString(),
  };
}

/** Why there cannot be a ban. */
export function banRefused({ kind }: WireBanRefusal, on: string): ProblemError {
  switch (kind) {
    case 'full':
      return new ProblemError('limit-reached', 'There are as many bans as limits.bansMax');
    case 'costly':
      return new ProblemError(
        'limit-reached',
        'All patterns together would take too long; lift some, or write smaller ones',
      );
    case 'invalid':
      return faulty(
        '/value',
        on === 'client_id_regex'
          ? 'This is no regular expression of RE2 (without look-around and back-references, at most 256 characters)'
          : 'Nobody can have this name or address',
      );
  }
}

/** When nodes ban by themselves, as the API shows it. */
export function presentFlapping({ settings, source }: WireStoredFlapping): AutoBanConfigView {
  return {
    connections_max: settings.connectionsMax,
    connections_per_address_max: settings.connectionsPerAddressMax,
    window_seconds: settings.windowSeconds,
    ban_seconds: settings.banSeconds,
    source,
  };
}

/** The same as nodes take it. */
export function wireFlappingOf(view: Omit<AutoBanConfigView, 'source'>): WireFlapping {
  return {
    connectionsMax: view.connections_max,
    connectionsPerAddressMax: view.connections_per_address_max,
    windowSeconds: view.window_seconds,
    banSeconds: view.ban_seconds,
  };
}
