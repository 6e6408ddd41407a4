import type { Publication } from '../history.ts';
import type { StoredRecord } from './records.ts';

/** An acknowledgement that comes later than this after its message was due is late. */
const LATE_MS = 1_000;
const EXAMPLES_MAX = 5;

/** What publishers did and Kafka has. */
export interface BridgeHistory {
  /** By publisher, then by number. */
  readonly publications: readonly (readonly Publication[])[];
  /** By partition, then by offset; of one topic, from its beginning. */
  readonly records: readonly StoredRecord[];
  /** When faults were applied, in order. */
  readonly faultsAtMs: readonly number[];
}

/** What such a history shows. */
export interface BridgeVerdict {
  /** Publications with PUBACK or PUBREC: Kafka has them. */
  readonly acknowledged: number;
  /** Publications with a reason code that says no: Kafka may have them all the same. */
  readonly refused: number;
  /** Publications that were sent and have no answer in the end. */
  readonly unanswered: number;
  /** Publications that Kafka has. */
  readonly stored: number;
  /** Acknowledged and not in Kafka. */
  readonly lost: number;
  /** First copies that lie behind one that the same client had sent later, under the same key. */
  readonly reordered: number;
  /** Those whose message was sent once and not refused, so that nothing its publisher did explains it. */
  readonly reorderedUnexplained: number;
  /** Copies of messages that their publisher sent again. */
  readonly resent: number;
  /** Copies that neither the publisher nor a repeat of the bridge explains. */
  readonly unexplained: number;
  /** Copies of one taking of a message: the bridge has sent a batch again that Kafka had. */
  readonly repeated: number;
  /** How many records the longest of these batches had. */
  readonly repeatedBatch: number;
  /** How many of these batches the worst partition has. */
  readonly repeatedBatches: number;
  /** How many such copies the worst partition has. */
  readonly repeatedMost: number;
  /** Refused, and in Kafka. */
  readonly refusedStored: number;
  /** Records that nobody published. */
  readonly phantoms: number;
  /** From when a message was due to its PUBACK or PUBREC. */
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  /** From a fault until each publisher had an acknowledgement of a message that was due after it; the worst. */
  readonly firstSeconds: number;
  /** From a fault to the last acknowledgement that came more than a second after its message was due; the worst. */
  readonly steadySeconds: number;
  /** The first few of what must not be, in words. */
  readonly examples: readonly string[];
}

/** Judges a history: pure, and blind to how it came about. */
export function judge({ publications, records, faultsAtMs }: BridgeHistory): BridgeVerdict {
  const all = publications.flat();
  const found = new RecordsCheck(publications).run(records);
  const lost = all.filter((each) => isAcknowledged(each) && !found.copies.has(each));
  for (const each of lost.slice(0, EXAMPLES_MAX)) found.examples.push(`lost: ${describe(each)}`);
  const waits = all.flatMap((each) =>
    each.acknowledgedAtMs === undefined ? [] : [each.acknowledgedAtMs - each.dueAtMs],
  );
  waits.sort((left, right) => left - right);
  return {
    acknowledged: waits.length,
    refused: all.filter(isRefused).length,
    unanswered: all.filter((each) => each.sends > 0 && !isAcknowledged(each) && !isRefused(each))
      .length,
    stored: found.copies.size,
    lost: lost.length,
    ...found.figures,
    refusedStored: all.filter((each) => isRefused(each) && found.copies.has(each)).length,
    ackP50Ms: shareOf(waits, 0.5),
    ackP99Ms: shareOf(waits, 0.99),
    ...recovery(publications, faultsAtMs),
    examples: found.examples,
  };
}

/** The figure below which a share of those sorted lies, rounded. */
export const shareOf = (sorted: readonly number[], share: number): number =>
  Number((sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1));

const isAcknowledged = ({ acknowledgedAtMs }: Publication): boolean =>
  acknowledgedAtMs !== undefined;
const isRefused = ({ refusal }: Publication): boolean => refusal !== undefined;
const describe = ({ publisher, number, sends, dueAtMs }: Publication): string =>
  `publisher ${String(publisher)} number ${String(number)}, due ${dueAtMs.toFixed(0)}, sent ${String(sends)} times`;

type RecordFigures = Pick<
  BridgeVerdict,
  | 'reordered'
  | 'reorderedUnexplained'
  | 'resent'
  | 'unexplained'
  | 'repeated'
  | 'repeatedBatch'
  | 'repeatedBatches'
  | 'repeatedMost'
  | 'phantoms'
>;

/** Goes through the records of a topic, partition by partition. */
class RecordsCheck {
  readonly figures: { -readonly [Name in keyof RecordFigures]: RecordFigures[Name] } = {
    reordered: 0,
    reorderedUnexplained: 0,
    resent: 0,
    unexplained: 0,
    repeated: 0,
    repeatedBatch: 0,
    repeatedBatches: 0,
    repeatedMost: 0,
    phantoms: 0,
  };
  readonly examples: string[] = [];
  /** Of each message: its records, and the names of its takings. One of QoS 2 keeps its name when its client sends it again. */
  readonly copies = new Map<Publication, { records: number; readonly takings: Set<string> }>();
  readonly #publications: BridgeHistory['publications'];
  /** By publisher and partition: the highest and the lowest number among first copies. */
  readonly #spans = new Map<number, Map<number, { low: number; high: number }>>();
  /** By partition: where the first record of each name lies. */
  readonly #placeOf = new Map<number, Map<string, number>>();
  readonly #batchesOf = new Map<number, number>();
  readonly #repeatedOf = new Map<number, number>();
  /** The repeated batch at hand: where its last record lies, and where that lay the first time. */
  #batch: { partition: number; place: number; first: number; size: number } | undefined;

  constructor(publications: BridgeHistory['publications']) {
    this.#publications = publications;
  }

  run(records: readonly StoredRecord[]): this {
    for (const record of records) this.#see(record);
    for (const [publisher, spans] of this.#spans)
      this.#compareSpans(publisher, [...spans.values()]);
    return this;
  }

  #see(record: StoredRecord): void {
    const publication = this.#publications[record.publisher]?.[record.number];
    if (publication === undefined || publication.sends === 0) {
      this.#found('phantoms', `partition ${String(record.partition)} ${String(record.offset)}`);
      return;
    }
    const known = this.copies.get(publication);
    if (known === undefined) {
      this.copies.set(publication, { records: 1, takings: new Set([record.messageId]) });
      this.#isRepeat(record);
      this.#place(record, publication);
      return;
    }
    known.records += 1;
    if (publication.qos === 2 && known.records <= publication.sends) {
      this.figures.resent += 1;
      return;
    }
    if (this.#isRepeat(record)) return;
    known.takings.add(record.messageId);
    if (known.takings.size <= publication.sends) this.figures.resent += 1;
    else this.#found('unexplained', describe(publication));
  }

  /** Whether this very taking of a message lies in the partition already; such records make batches. */
  #isRepeat({ partition, offset, messageId }: StoredRecord): boolean {
    const places = this.#placesOf(partition);
    const first = places.get(messageId);
    if (first === undefined) {
      places.set(messageId, offset);
      return false;
    }
    const { figures } = this;
    const last = this.#batch;
    const goesOn =
      last?.partition === partition && last.place + 1 === offset && last.first + 1 === first;
    const size = goesOn ? last.size + 1 : 1;
    this.#batch = { partition, place: offset, first, size };
    const repeated = (this.#repeatedOf.get(partition) ?? 0) + 1;
    this.#repeatedOf.set(partition, repeated);
    figures.repeated += 1;
    figures.repeatedMost = Math.max(figures.repeatedMost, repeated);
    figures.repeatedBatch = Math.max(figures.repeatedBatch, size);
    if (!goesOn) {
      const batches = (this.#batchesOf.get(partition) ?? 0) + 1;
      this.#batchesOf.set(partition, batches);
      figures.repeatedBatches = Math.max(figures.repeatedBatches, batches);
    }
    return true;
  }

  #placesOf(partition: number): Map<string, number> {
    let places = this.#placeOf.get(partition);
    if (places === undefined) this.#placeOf.set(partition, (places = new Map()));
    return places;
  }

  /** A first copy: within its partition it must lie behind all that its publisher sent before. */
  #place({ partition }: StoredRecord, publication: Publication): void {
    const { publisher, number } = publication;
    let spans = this.#spans.get(publisher);
    if (spans === undefined) this.#spans.set(publisher, (spans = new Map()));
    const span = spans.get(partition);
    if (span === undefined) {
      spans.set(partition, { low: number, high: number });
      return;
    }
    if (number < span.high) this.#misplaced(publication);
    span.low = Math.min(span.low, number);
    span.high = Math.max(span.high, number);
  }

  /** A key that has moved to another partition has left the one before for good: numbers of the two do not mix. */
  #compareSpans(publisher: number, spans: readonly { low: number; high: number }[]): void {
    const inTurn = spans.toSorted((left, right) => left.low - right.low);
    for (const [index, span] of inTurn.entries()) {
      const before = inTurn[index - 1];
      const publication = this.#publications[publisher]?.[span.low];
      if (before !== undefined && publication !== undefined && span.low < before.high) {
        this.#misplaced(publication);
      }
    }
  }

  #misplaced(publication: Publication): void {
    this.figures.reordered += 1;
    if (publication.sends > 1 || isRefused(publication)) return;
    this.#found('reorderedUnexplained', describe(publication));
  }

  #found(what: 'phantoms' | 'unexplained' | 'reorderedUnexplained', which: string): void {
    this.figures[what] += 1;
    if (this.figures[what] <= EXAMPLES_MAX) this.examples.push(`${what}: ${which}`);
  }
}

function recovery(
  publications: BridgeHistory['publications'],
  faultsAtMs: readonly number[],
): Pick<BridgeVerdict, 'firstSeconds' | 'steadySeconds'> {
  let [firstMs, steadyMs] = [0, 0];
  for (const [index, faultAtMs] of faultsAtMs.entries()) {
    const nextMs = faultsAtMs[index + 1] ?? Infinity;
    for (const own of publications) {
      let first: number | undefined;
      for (const { dueAtMs, acknowledgedAtMs } of own) {
        if (acknowledgedAtMs === undefined || acknowledgedAtMs < faultAtMs) continue;
        const sinceMs = acknowledgedAtMs - faultAtMs;
        if (dueAtMs >= faultAtMs && dueAtMs < nextMs) first = Math.min(first ?? Infinity, sinceMs);
        const isLate = acknowledgedAtMs - dueAtMs > LATE_MS && acknowledgedAtMs < nextMs;
        if (isLate) steadyMs = Math.max(steadyMs, sinceMs);
      }
      firstMs = Math.max(firstMs, first ?? 0);
    }
  }
  return { firstSeconds: firstMs / 1_000, steadySeconds: steadyMs / 1_000 };
}
