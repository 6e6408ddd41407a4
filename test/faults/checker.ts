import type { Arrival, History, Publication, ReceiverHistory } from './history.ts';

/** A message that comes later than this after it was due is late. */
const LATE_MS = 1_000;
const EXAMPLES_MAX = 5;

/** What must not happen to a message, whatever fails. */
export type Violation = 'lost' | 'qos2-duplicate' | 'qos1-unexplained' | 'reordered' | 'phantom';

/** One message to which it happened. */
export interface Example {
  readonly violation: Violation;
  readonly receiver: string;
  readonly publication: Publication | undefined;
  /** Its arrivals at the receiver; of a lost one, those of the messages before and after it of the same publisher. */
  readonly arrivals: readonly Arrival[];
}

/** What a history shows. Counts of deliveries are added up over all receivers. */
export interface Verdict {
  /** Publications with PUBACK or PUBREC. */
  readonly acknowledged: number;
  /** Publications with a PUBACK or PUBREC that said no. */
  readonly refused: number;
  /** Publications that were sent and have no answer in the end. */
  readonly unanswered: number;
  /** Messages that receivers got, each once. */
  readonly delivered: number;
  /** Acknowledged, wanted and not delivered. */
  readonly lost: number;
  /** QoS 2: copies that the application saw after the first, by the rules of a receiver. */
  readonly qos2Duplicated: number;
  /** QoS 1: copies after the first. */
  readonly qos1Duplicated: number;
  /** Those which neither a resend by the publisher nor a redelivery on a later connection explains. */
  readonly qos1Unexplained: number;
  /** First copies that came after one that the same publisher had sent later. */
  readonly reordered: number;
  /** Those whose message was sent once and not refused, so that nothing its publisher did explains it. */
  readonly reorderedUnexplained: number;
  /** Messages that were refused, and came all the same: refused means that the outcome is unknown. */
  readonly refusedDelivered: number;
  /** Arrivals that nobody published, or that were not subscribed to. */
  readonly phantoms: number;
  /** From a fault until each flow from publisher to live receiver carried a message that was due after it; the worst. */
  readonly firstSeconds: number;
  /** From a fault to the last delivery that came more than a second after its message was due; the worst. */
  readonly steadySeconds: number;
  readonly examples: readonly Example[];
}

/** Finds what a history shows: pure, and blind to how the history came about. */
export function check(history: History): Verdict {
  const findings = new Findings(history);
  for (const receiver of history.receivers) new ReceiverCheck(receiver, history, findings).run();
  const all = history.publications.flat();
  return {
    acknowledged: all.filter(isAcknowledged).length,
    refused: all.filter(({ refusal }) => refusal !== undefined).length,
    unanswered: all.filter((each) => each.sends > 0 && !isAcknowledged(each) && !isRefused(each))
      .length,
    delivered: findings.delivered,
    lost: findings.count('lost'),
    qos2Duplicated: findings.count('qos2-duplicate'),
    qos1Duplicated: findings.qos1Duplicated,
    qos1Unexplained: findings.count('qos1-unexplained'),
    reordered: findings.count('reordered'),
    reorderedUnexplained: findings.reorderedUnexplained,
    refusedDelivered: findings.refusedDelivered,
    phantoms: findings.count('phantom'),
    ...findings.recovery(),
    examples: findings.examples,
  };
}

const isAcknowledged = ({ acknowledgedAtMs }: Publication): boolean =>
  acknowledgedAtMs !== undefined;
const isRefused = ({ refusal }: Publication): boolean => refusal !== undefined;

/** Copies that the broker had to send: marked as such, on a later connection than the one before. */
function redeliveriesOf(arrivals: readonly Arrival[]): number {
  const isLater = ({ dup, connection }: Arrival, index: number): boolean =>
    dup && connection > (arrivals[index - 1]?.connection ?? Infinity);
  return arrivals.filter(isLater).length;
}

class Findings {
  delivered = 0;
  qos1Duplicated = 0;
  reorderedUnexplained = 0;
  refusedDelivered = 0;
  readonly examples: Example[] = [];
  readonly #counts = new Map<Violation, number>();
  readonly #faultsAtMs: readonly number[];
  /** By fault: flow to the time of its first delivery. */
  readonly #first: Map<string, number>[];
  /** By fault: the time of its last late delivery. */
  readonly #late: number[];

  constructor({ faultsAtMs }: History) {
    this.#faultsAtMs = faultsAtMs;
    this.#first = faultsAtMs.map(() => new Map<string, number>());
    this.#late = faultsAtMs.map((atMs) => atMs);
  }

  count(violation: Violation): number {
    return this.#counts.get(violation) ?? 0;
  }

  add(example: Example): void {
    const count = this.count(example.violation) + 1;
    this.#counts.set(example.violation, count);
    if (count <= EXAMPLES_MAX) this.examples.push(example);
  }

  /** Takes note of the first copy of a message at a live receiver. */
  time(receiver: string, { dueAtMs }: Publication, { publisher, atMs }: Arrival): void {
    const first = this.#first[this.#faultBefore(dueAtMs)];
    const flow = `${receiver} ${String(publisher)}`;
    first?.set(flow, Math.min(first.get(flow) ?? Infinity, atMs));
    if (atMs - dueAtMs <= LATE_MS) return;
    const fault = this.#faultBefore(atMs);
    if (fault >= 0) this.#late[fault] = Math.max(this.#late[fault] ?? 0, atMs);
  }

  recovery(): Pick<Verdict, 'firstSeconds' | 'steadySeconds'> {
    let [firstMs, steadyMs] = [0, 0];
    for (const [index, faultAtMs] of this.#faultsAtMs.entries()) {
      for (const atMs of this.#first[index]?.values() ?? []) {
        firstMs = Math.max(firstMs, atMs - faultAtMs);
      }
      steadyMs = Math.max(steadyMs, (this.#late[index] ?? faultAtMs) - faultAtMs);
    }
    return { firstSeconds: firstMs / 1_000, steadySeconds: steadyMs / 1_000 };
  }

  #faultBefore(atMs: number): number {
    return this.#faultsAtMs.findLastIndex((faultAtMs) => faultAtMs <= atMs);
  }
}

/** Goes through the events of one receiver as its application would. */
class ReceiverCheck {
  readonly #receiver: ReceiverHistory;
  readonly #publications: History['publications'];
  readonly #findings: Findings;
  /** QoS 2 packet ids whose PUBREL has not come. */
  readonly #held = new Set<number>();
  readonly #arrivals = new Map<Publication, Arrival[]>();
  /** By publisher: the highest number so far. */
  readonly #highest = new Map<number, number>();

  constructor(receiver: ReceiverHistory, { publications }: History, findings: Findings) {
    this.#receiver = receiver;
    this.#publications = publications;
    this.#findings = findings;
  }

  run(): void {
    for (const event of this.#receiver.events) {
      if (event.kind === 'renewal') this.#held.clear();
      else if (event.kind === 'release') this.#held.delete(event.packetId);
      else if (event.qos < 2) this.#see(event);
      else if (!this.#held.has(event.packetId)) {
        this.#held.add(event.packetId);
        this.#see(event);
      }
    }
    this.#findLost();
  }

  /** The application sees a message. */
  #see(arrival: Arrival): void {
    const { publisher, number } = arrival;
    const publication = this.#publications[publisher]?.[number];
    if (publication === undefined || publication.sends === 0 || !this.#receiver.wants(publisher)) {
      this.#found('phantom', undefined, [arrival]);
      return;
    }
    const earlier = this.#arrivals.get(publication);
    if (earlier !== undefined) {
      this.#seeAgain(publication, earlier, arrival);
      return;
    }
    this.#arrivals.set(publication, [arrival]);
    this.#findings.delivered += 1;
    if (this.#receiver.isLive) this.#findings.time(this.#receiver.name, publication, arrival);
    const highest = this.#highest.get(publisher) ?? -1;
    if (isRefused(publication)) this.#findings.refusedDelivered += 1;
    if (number < highest) {
      this.#found('reordered', publication, [arrival]);
      const isPlain = publication.sends === 1 && !isRefused(publication);
      if (isPlain) this.#findings.reorderedUnexplained += 1;
    }
    this.#highest.set(publisher, Math.max(highest, number));
  }

  #seeAgain(publication: Publication, arrivals: Arrival[], arrival: Arrival): void {
    arrivals.push(arrival);
    if (publication.qos === 2) {
      this.#found('qos2-duplicate', publication, arrivals);
      return;
    }
    this.#findings.qos1Duplicated += 1;
    if (arrivals.length - redeliveriesOf(arrivals) <= publication.sends) return;
    this.#found('qos1-unexplained', publication, arrivals);
  }

  #findLost(): void {
    for (const [publisher, publications] of this.#publications.entries()) {
      if (!this.#receiver.wants(publisher)) continue;
      for (const publication of publications) {
        if (!isAcknowledged(publication) || this.#arrivals.has(publication)) continue;
        this.#found('lost', publication, this.#around(publications, publication.number));
      }
    }
  }

  /** The first arrivals of the nearest messages of a publisher that came. */
  #around(publications: readonly Publication[], number: number): readonly Arrival[] {
    const came = (publication: Publication): boolean => this.#arrivals.has(publication);
    const before = publications.slice(0, number).findLast(came);
    const after = publications.slice(number + 1).find(came);
    return [before, after].flatMap((each) => (each && this.#arrivals.get(each)?.[0]) ?? []);
  }

  #found(
    violation: Violation,
    publication: Publication | undefined,
    arrivals: readonly Arrival[],
  ): void {
    this.#findings.add({
      violation,
      receiver: this.#receiver.name,
      publication,
      arrivals: [...arrivals],
    });
  }
}
