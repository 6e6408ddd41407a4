import type { History, Publication } from '../faults/history.ts';
import { Receiver } from '../faults/receiver.ts';

/** The filter of the one shared subscription. */
const FILTER = '$share/group/faults/#';

/** The members of a shared subscription: what is acknowledged must come to one of them at least, and QoS 2 to each once. */
export class Group {
  readonly members: Receiver[] = [];
  readonly #publications: () => History['publications'];

  constructor(publications: () => History['publications']) {
    this.#publications = publications;
  }

  /** One more of them, which is not connected yet. */
  add(nowMs: () => number): Receiver {
    const name = `member${String(this.members.length)}`;
    const wants = (): boolean => true;
    const member = new Receiver({ name, isLive: false, filters: [FILTER], wants, nowMs });
    this.members.push(member);
    return member;
  }

  /** Whether what was acknowledged has come to somebody. */
  get isDelivered(): boolean {
    if (this.members.length === 0) return true;
    const hasCome = ({ publisher, number }: Publication): boolean =>
      this.members.some((member) => member.has(publisher, number));
    return this.#publications()
      .flat()
      .every((publication) => publication.acknowledgedAtMs === undefined || hasCome(publication));
  }

  /** For each of them the history as if it need not get anything, and one of all together as if they were one of QoS 1. */
  histories(): readonly History[] {
    if (this.members.length === 0) return [];
    const publications = this.#publications();
    const each = (change: (publication: Publication) => Publication): History['publications'] =>
      publications.map((all) => all.map(change));
    const unasked = each((publication) => ({ ...publication, acknowledgedAtMs: undefined }));
    const arrivals = this.members
      .flatMap(({ events }) => events)
      .flatMap((event) => (event.kind === 'arrival' ? [{ ...event, qos: 1 }] : []));
    const together = { name: 'group', isLive: false, wants: () => true, events: arrivals };
    return [
      ...this.members.map((member) => ({
        publications: unasked,
        receivers: [member],
        faultsAtMs: [],
      })),
      {
        publications: each((publication) => ({ ...publication, qos: 1 })),
        receivers: [together],
        faultsAtMs: [],
      },
    ];
  }
}
