import type { Message } from '#libs/broker-ports';
import { SharedPublish } from '#libs/mqtt-engine';
import { FULL, type Receiver } from './receiver.ts';
import { targetOf, type Subscription, type Target } from './subscription.ts';

/**
 * How a member of a shared subscription is chosen for a message.
 *
 * - `least-inflight`: the one with the fewest unacknowledged and waiting messages among the next few in turn.
 * - `round-robin`: the next in turn.
 * - `hash-client-id`, `hash-topic`: the same one for the same publisher, or topic, as long as the members stay.
 * - `sticky`: the same one until it goes away.
 * - `local`: as `least-inflight`, and a member at the publisher's node before any other.
 *
 * Whoever can take no more, because its queue or its socket is full, is passed over while anybody else can.
 */
export type ShareStrategy =
  'least-inflight' | 'round-robin' | 'hash-client-id' | 'hash-topic' | 'sticky' | 'local';

/** A message on its way to one member: should the member go away before it acknowledges, another one gets it. */
export class GroupPublish extends SharedPublish<Message> {
  /** The shared subscription's whole filter. */
  readonly group: string;

  constructor(message: Message, remote: boolean, group: string) {
    super(message, remote);
    this.group = group;
  }
}

interface Member {
  readonly receiver: Receiver;
  subscription: Subscription;
  target: Target;
  place: number;
  isConnected: boolean;
}

/** Members that are compared per message: enough to find an idle one, and no scan of a large group. */
const COMPARED_MAX = 8;
/** Members that are passed over per message because they can take no more. */
const PASSED_OVER_MAX = 1000;

/** The members of one shared subscription at this node. */
export class ShareGroup {
  /** The whole filter, `$share/group/` included. */
  readonly filter: string;
  /** Those that are connected first: those that are away cost a choice nothing. */
  readonly #members: Member[] = [];
  readonly #byReceiver = new Map<Receiver, Member>();
  #connected = 0;
  #next = 0;
  /** Who gets everything, if the strategy is to stick to one. */
  #kept: Member | undefined;

  constructor(filter: string) {
    this.filter = filter;
  }

  get size(): number {
    return this.#members.length;
  }

  /** How many members are connected. */
  get connected(): number {
    return this.#connected;
  }

  /** Whoever is a member, those first who are connected. */
  *receivers(): Generator<Receiver, void, undefined> {
    for (const { receiver } of this.#members) yield receiver;
  }

  /** Adds a member; a further subscription of the same session takes the place of the one before. */
  add(subscription: Subscription): void {
    const { entry } = subscription;
    const target = targetOf(subscription);
    const known = this.#byReceiver.get(entry);
    if (known !== undefined) {
      known.subscription = subscription;
      known.target = target;
      return;
    }
    const place = this.#members.length;
    const member = { receiver: entry, subscription, target, place, isConnected: false };
    this.#members.push(member);
    this.#byReceiver.set(entry, member);
    this.refresh(entry);
  }

  /** Takes a member out; a subscription that another one has replaced is none any more. */
  remove(subscription: Subscription): void {
    const member = this.#byReceiver.get(subscription.entry);
    if (member?.subscription !== subscription) return;
    this.#setConnected(member, false);
    this.#byReceiver.delete(subscription.entry);
    if (this.#kept === member) this.#kept = undefined;
    const last = this.#members.pop();
    if (last !== undefined && last !== member) this.#put(last, member.place);
  }

  /** A member has connected or gone away. */
  refresh(receiver: Receiver): void {
    const member = this.#byReceiver.get(receiver);
    if (member !== undefined) this.#setConnected(member, receiver.backlog !== undefined);
  }

  /**
   * Chooses a member, a connected one if there is any; undefined when nobody can get the message. Its backlog is FULL when
   * that is so of all that are connected.
   */
  pick(message: Message, strategy: ShareStrategy): Target | undefined {
    if (this.#connected > 0) {
      const member = this.#pickConnected(message, strategy);
      return (member ?? this.#members[this.#turn(this.#connected)])?.target;
    }
    // Those who are away have a queue, which takes no QoS 0.
    if (message.qos === 0) return undefined;
    return this.#members[this.#turn(this.#members.length)]?.target;
  }

  #pickConnected(message: Message, strategy: ShareStrategy): Member | undefined {
    const count = this.#connected;
    switch (strategy) {
      case 'round-robin':
        return this.#leastLoaded(this.#turn(count), 1);
      case 'hash-client-id':
        return this.#leastLoaded(hashOf(message.publisher), 1);
      case 'hash-topic':
        return this.#leastLoaded(hashOf(message.topic), 1);
      case 'sticky':
        if (this.#kept === undefined || !canTake(this.#kept)) {
          this.#kept = this.#leastLoaded(this.#turn(count), 1);
        }
        return this.#kept;
      case 'least-inflight':
      case 'local':
        return this.#leastLoaded(this.#turn(count), COMPARED_MAX);
    }
  }

  /** The least loaded of the first few connected members from a place on that can take a message. */
  #leastLoaded(from: number, compared: number): Member | undefined {
    const count = this.#connected;
    const steps = Math.min(count, compared + PASSED_OVER_MAX);
    let best: Member | undefined;
    let bestBacklog = FULL;
    let left = compared;
    for (let step = 0; step < steps && left > 0; step += 1) {
      const member = this.#members[(from + step) % count];
      const backlog = member?.receiver.backlog ?? FULL;
      if (backlog === FULL) continue;
      left -= 1;
      if (backlog >= bestBacklog) continue;
      best = member;
      bestBacklog = backlog;
    }
    return best;
  }

  #turn(count: number): number {
    this.#next = (this.#next + 1) % Math.max(1, count);
    return this.#next;
  }

  /** Moves the border between those that are connected and those that are away across the member. */
  #setConnected(member: Member, isConnected: boolean): void {
    if (member.isConnected === isConnected) return;
    member.isConnected = isConnected;
    if (!isConnected) this.#connected -= 1;
    const place = this.#connected;
    const other = this.#members[place];
    if (other !== undefined) this.#put(other, member.place);
    this.#put(member, place);
    if (isConnected) this.#connected += 1;
  }

  #put(member: Member, place: number): void {
    member.place = place;
    this.#members[place] = member;
  }
}

function canTake({ isConnected, receiver }: Member): boolean {
  return isConnected && receiver.backlog !== FULL;
}

/** FNV-1a: the same on every node. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
