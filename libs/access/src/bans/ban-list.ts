import { AddressRange, parseClientAddress } from '../acl/address-range.ts';
import type { Ban } from './ban.ts';
import {
  MATCHED_CHARACTERS_MAX,
  type ClientIdPatterns,
  type PatternMatch,
} from './client-id-patterns.ts';

/** Who wants to connect, or has. */
export interface BanCandidate {
  readonly clientId: string;
  /** The proven name; undefined as long as there is none. */
  readonly user?: string | undefined;
  readonly address: string;
}

/** The networks of one prefix length. */
interface Networks {
  readonly bits: number;
  readonly prefixBits: number;
  readonly byPrefix: Map<bigint, Ban>;
}

/**
 * The bans in force, to be asked for every CONNECT.
 *
 * @remarks A look-up takes the same time however many bans there are: client ids and users are found by hash, and addresses
 * by hash for each prefix length that is banned, 162 at most. Patterns are one matcher, whose cost is bounded by who adds them.
 * While there are any, a client id that is too long to be matched is banned by the first of them: nobody passes by being long.
 * The clock is the caller's.
 */
export class BanList {
  readonly #patterns: ClientIdPatterns | undefined;
  readonly #byPattern = new Map<string, { readonly ban: Ban; readonly cost: number }>();
  /** Made of the patterns when it is first needed. */
  #matcher: { readonly bans: readonly Ban[]; readonly match: PatternMatch } | undefined;
  readonly #byId = new Map<string, Ban>();
  readonly #byClientId = new Map<string, Ban>();
  readonly #byUser = new Map<string, Ban>();
  readonly #networks: Networks[] = [];

  /** @param patterns - without them bans by pattern are on nobody. */
  constructor(patterns?: ClientIdPatterns) {
    this.#patterns = patterns;
  }

  /** How many there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** All of them, those that have ended included. */
  all(): IterableIterator<Ban> {
    return this.#byId.values();
  }

  /** One of them. */
  get(id: string): Ban | undefined {
    return this.#byId.get(id);
  }

  /** Adds a ban, or replaces the one on the same subject. */
  set(ban: Ban): void {
    this.delete(ban.id);
    this.#byId.set(ban.id, ban);
    if (ban.kind === 'client_id') this.#byClientId.set(ban.value, ban);
    else if (ban.kind === 'username') this.#byUser.set(ban.value, ban);
    else if (ban.kind === 'client_id_regex') this.#setPattern(ban);
    else {
      const range = AddressRange.parse(ban.value);
      if (range !== undefined) this.#networksOf(range).byPrefix.set(range.prefix, ban);
    }
  }

  /** Removes a ban; nothing happens when there is none. */
  delete(id: string): void {
    const ban = this.#byId.get(id);
    if (ban === undefined) return;
    this.#byId.delete(id);
    if (ban.kind === 'client_id') this.#byClientId.delete(ban.value);
    else if (ban.kind === 'username') this.#byUser.delete(ban.value);
    else if (ban.kind === 'client_id_regex') this.#deletePattern(ban);
    else this.#deleteNetwork(ban.value);
  }

  /** The ban that keeps somebody out; undefined when there is none. */
  find({ clientId, user, address }: BanCandidate, nowMs: number): Ban | undefined {
    const found = this.#byClientId.get(clientId);
    if (isInForce(found, nowMs)) return found;
    const ofUser = user === undefined ? undefined : this.#byUser.get(user);
    if (isInForce(ofUser, nowMs)) return ofUser;
    return this.#findAddress(address, nowMs) ?? this.#findPattern(clientId, nowMs);
  }

  /** What the patterns cost together, without one of them. */
  patternCost(withoutId: string): number {
    let cost = 0;
    for (const [id, each] of this.#byPattern) if (id !== withoutId) cost += each.cost;
    return cost;
  }

  #setPattern(ban: Ban): void {
    // One that this release cannot match, as of a later one, is on nobody here.
    const cost = this.#patterns?.costOf(ban.value);
    if (cost === undefined) return;
    this.#byPattern.set(ban.id, { ban, cost });
    this.#matcher = undefined;
  }

  #deletePattern({ id }: Ban): void {
    if (this.#byPattern.delete(id)) this.#matcher = undefined;
  }

  #patternBans(): readonly Ban[] {
    return [...this.#byPattern.values()].map(({ ban }) => ban);
  }

  #findPattern(clientId: string, nowMs: number): Ban | undefined {
    if (this.#byPattern.size === 0 || this.#patterns === undefined || clientId === '') {
      return undefined;
    }
    if (clientId.length > MATCHED_CHARACTERS_MAX) {
      return this.#patternBans().find((ban) => isInForce(ban, nowMs));
    }
    const bans = this.#matcher?.bans ?? this.#patternBans();
    this.#matcher ??= { bans, match: this.#patterns.compile(bans.map(({ value }) => value)) };
    for (const place of this.#matcher.match(clientId)) {
      const ban = bans[place];
      if (isInForce(ban, nowMs)) return ban;
    }
    return undefined;
  }

  #findAddress(text: string, nowMs: number): Ban | undefined {
    if (this.#networks.length === 0) return undefined;
    const address = parseClientAddress(text);
    if (address === undefined) return undefined;
    for (const { bits, prefixBits, byPrefix } of this.#networks) {
      if (bits !== address.bits) continue;
      const ban = byPrefix.get(address.value >> BigInt(bits - prefixBits));
      if (isInForce(ban, nowMs)) return ban;
    }
    return undefined;
  }

  #networksOf({ bits, prefixBits }: AddressRange): Networks {
    const found = this.#networks.find(
      (each) => each.bits === bits && each.prefixBits === prefixBits,
    );
    if (found !== undefined) return found;
    const made = { bits, prefixBits, byPrefix: new Map<bigint, Ban>() };
    this.#networks.push(made);
    return made;
  }

  #deleteNetwork(value: string): void {
    const range = AddressRange.parse(value);
    if (range === undefined) return;
    const networks = this.#networksOf(range);
    networks.byPrefix.delete(range.prefix);
    if (networks.byPrefix.size === 0) this.#networks.splice(this.#networks.indexOf(networks), 1);
  }
}

function isInForce(ban: Ban | undefined, nowMs: number): ban is Ban {
  return ban !== undefined && (ban.untilMs === undefined || ban.untilMs > nowMs);
}
