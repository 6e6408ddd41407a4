import { BanList, type Ban, type BanCandidate, type ClientIdPatterns } from '#libs/access';
import type { HubClient } from '#libs/broker-ports';
import type { Connection } from './connection.ts';
import { spreadWork } from './spread-work.ts';

/** What clients are looked at with. */
export interface ExpulsionHost {
  readonly patterns: ClientIdPatterns | undefined;
  readonly nowMs: () => number;
  readonly defer: (run: () => void) => void;
  connections(): Iterable<Connection>;
  isBanned(client: HubClient): boolean;
  /** Ends the connection of somebody who is banned. */
  expel(connection: Connection): void;
}

/** Who somebody is to a list of bans. */
export function candidateOf({ clientId, username, remoteAddress }: HubClient): BanCandidate {
  return { clientId, user: username, address: remoteAddress };
}

/**
 * Ends the connections of clients that are banned while they are connected, over several turns.
 *
 * @remarks They are held against the new bans alone: whoever those of before are on has gone.
 */
export class Expulsion {
  readonly #host: ExpulsionHost;
  /** New bans, until those who are connected have been looked at. */
  #fresh: BanList | undefined;
  #isUnderWay = false;

  constructor(host: ExpulsionHost) {
    this.#host = host;
  }

  /** There are bans that were not there before. */
  begin(bans: readonly Ban[]): void {
    this.#fresh ??= new BanList(this.#host.patterns);
    for (const ban of bans) this.#fresh.set(ban);
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    spreadWork(this.#visitAll(), this.#host.defer);
  }

  *#visitAll(): Generator<void, void, undefined> {
    const host = this.#host;
    for (let fresh = this.#fresh; fresh !== undefined; fresh = this.#fresh) {
      this.#fresh = undefined;
      for (const connection of host.connections()) {
        const { client } = connection;
        const isOn = client !== undefined && fresh.find(candidateOf(client), host.nowMs());
        // One that was lifted meanwhile is on nobody.
        if (isOn && host.isBanned(client)) host.expel(connection);
        yield;
      }
    }
    this.#isUnderWay = false;
  }
}
