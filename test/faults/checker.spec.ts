import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '#libs/testkit';
import { check } from './checker.ts';
import type { Arrival, History, Publication, ReceiverEvent } from './history.ts';

const MESSAGES = 200;
const CONNECTION = 1;

/** Two publishers, QoS 1 and 2, whose messages all came once and in order. */
function goodRun(): Run {
  const run = new Run();
  for (let number = 0; number < MESSAGES; number += 1) {
    run.publish(1);
    run.publish(2);
    run.arrive(1, number);
    run.arrive(2, number);
    run.release(number);
  }
  return run;
}

/** Builds a history. The index of a publisher is its QoS less one; the packet id of a message its number plus one. */
class Run {
  readonly publications: Publication[][] = [[], []];
  readonly events: ReceiverEvent[] = [];
  faultsAtMs: number[] = [];

  publish(qos: 1 | 2): Publication {
    const mine = this.publications[qos - 1] ?? [];
    const number = mine.length;
    const dueAtMs = number * 10;
    const publication: Publication = {
      publisher: qos - 1,
      number,
      qos,
      dueAtMs,
      sends: 1,
      acknowledgedAtMs: dueAtMs + 1,
      refusal: undefined,
    };
    mine.push(publication);
    return publication;
  }

  publication(qos: 1 | 2, number: number): Publication {
    const found = this.publications[qos - 1]?.[number];
    if (found === undefined) throw new Error('no such message');
    return found;
  }

  arrive(qos: 1 | 2, number: number, more: Partial<Arrival> = {}): void {
    this.events.push({
      kind: 'arrival',
      publisher: qos - 1,
      number,
      qos,
      dup: false,
      packetId: number + 1,
      connection: CONNECTION,
      atMs: number * 10 + 2,
      ...more,
    });
  }

  release(number: number): void {
    this.events.push({ kind: 'release', packetId: number + 1 });
  }

  /** Removes the arrival of a message. */
  drop(qos: 1 | 2, number: number): ReceiverEvent {
    const index = this.events.findIndex(
      (event) => event.kind === 'arrival' && event.publisher === qos - 1 && event.number === number,
    );
    const [dropped] = this.events.splice(index, 1);
    if (dropped === undefined) throw new Error('it had not come');
    return dropped;
  }

  history(wants: (publisher: number) => boolean = () => true, isLive = true): History {
    const { publications, events, faultsAtMs } = this;
    return { publications, faultsAtMs, receivers: [{ name: 'r', isLive, wants, events }] };
  }
}

const NOTHING = {
  refused: 0,
  unanswered: 0,
  lost: 0,
  qos2Duplicated: 0,
  qos1Duplicated: 0,
  qos1Unexplained: 0,
  reordered: 0,
  reorderedUnexplained: 0,
  refusedDelivered: 0,
  phantoms: 0,
  examples: [],
};

describe('a run without a fault', () => {
  it('shows nothing', () => {
    expect(check(goodRun().history())).toEqual({
      ...NOTHING,
      acknowledged: 2 * MESSAGES,
      delivered: 2 * MESSAGES,
      firstSeconds: 0,
      steadySeconds: 0,
    });
  });
});

describe('a message that is planted to go wrong', () => {
  const random = seededRandom(7);
  const chosen = Array.from({ length: 20 }, () => 1 + Math.floor(random() * (MESSAGES - 2)));

  it.each([1, 2] as const)('is found when it is lost (QoS %s)', (qos) => {
    for (const number of chosen) {
      const run = goodRun();
      run.drop(qos, number);
      const verdict = check(run.history());
      expect(verdict).toMatchObject({ lost: 1, delivered: 2 * MESSAGES - 1, reordered: 0 });
      expect(verdict.examples).toMatchObject([
        {
          violation: 'lost',
          publication: { number, qos },
          arrivals: [{ number: number - 1 }, { number: number + 1 }],
        },
      ]);
    }
  });

  it('is found when a QoS 2 message comes under another packet id', () => {
    for (const number of chosen) {
      const run = goodRun();
      run.arrive(2, number, { packetId: 60_000 });
      expect(check(run.history())).toMatchObject({ qos2Duplicated: 1, lost: 0, reordered: 0 });
    }
  });

  it('is found when a QoS 2 message comes again after its PUBREL, DUP or not', () => {
    for (const dup of [true, false]) {
      const run = goodRun();
      run.arrive(2, 3, { dup, connection: 2 });
      expect(check(run.history())).toMatchObject({ qos2Duplicated: 1 });
    }
  });

  it('is found when a QoS 1 message comes twice, and nobody has sent it twice', () => {
    for (const number of chosen) {
      const run = goodRun();
      run.arrive(1, number, { packetId: 60_000 });
      const found = { qos1Duplicated: 1, qos1Unexplained: 1, reordered: 0 };
      expect(check(run.history())).toMatchObject(found);
    }
  });

  it('is found when DUP is set on the connection that had it already', () => {
    const run = goodRun();
    run.arrive(1, 5, { dup: true });
    expect(check(run.history())).toMatchObject({ qos1Unexplained: 1 });
  });

  it.each([1, 2] as const)('is found when it comes after a later one (QoS %s)', (qos) => {
    for (const number of chosen) {
      const run = goodRun();
      run.events.push(run.drop(qos, number));
      const found = { reordered: 1, reorderedUnexplained: 1, lost: 0, delivered: 2 * MESSAGES };
      expect(check(run.history())).toMatchObject(found);
    }
  });

  it.each([{ sends: 2 }, { refusal: 0x97, acknowledgedAtMs: undefined }])(
    'is told apart when it comes late and its publisher had trouble: %j',
    (trouble) => {
      const run = goodRun();
      run.events.push(run.drop(1, 20));
      Object.assign(run.publication(1, 20), trouble);
      const found = { reordered: 1, reorderedUnexplained: 0 };
      expect(check(run.history())).toMatchObject(found);
    },
  );

  it('is found when nobody has published it, or not yet', () => {
    const run = goodRun();
    run.arrive(1, MESSAGES);
    expect(check(run.history())).toMatchObject({ phantoms: 1 });
    run.publication(1, 4).sends = 0;
    expect(check(run.history())).toMatchObject({ phantoms: 2 });
  });

  it('is found when it was not subscribed to', () => {
    const verdict = check(goodRun().history((publisher) => publisher === 0));
    expect(verdict).toMatchObject({ phantoms: MESSAGES, lost: 0 });
  });
});

describe('what MQTT allows', () => {
  it('is a QoS 2 message again before its PUBREL, on any connection', () => {
    const run = new Run();
    run.publish(2);
    run.arrive(2, 0);
    run.arrive(2, 0, { dup: true, connection: 2 });
    run.release(0);
    expect(check(run.history())).toMatchObject({ ...NOTHING, delivered: 1 });
  });

  it('is a packet id that is used again after PUBREL, or in a new session', () => {
    const run = new Run();
    for (let number = 0; number < 3; number += 1) run.publish(2);
    run.arrive(2, 0, { packetId: 9 });
    run.events.push({ kind: 'release', packetId: 9 });
    run.arrive(2, 1, { packetId: 9 });
    run.events.push({ kind: 'renewal' });
    run.arrive(2, 2, { packetId: 9 });
    expect(check(run.history())).toMatchObject({ ...NOTHING, delivered: 3 });
  });

  it('is a redelivery of QoS 1 with DUP on the next connection', () => {
    const run = goodRun();
    run.arrive(1, 198, { dup: true, connection: 2 });
    run.arrive(1, 199, { dup: true, connection: 2 });
    run.arrive(1, 199, { dup: true, connection: 3 });
    const found = { qos1Duplicated: 3, qos1Unexplained: 0, reordered: 0 };
    expect(check(run.history())).toMatchObject(found);
  });

  it('is as many copies of a QoS 1 message as its publisher has sent', () => {
    const run = goodRun();
    run.publication(1, 7).sends = 2;
    run.arrive(1, 7);
    expect(check(run.history())).toMatchObject({ qos1Duplicated: 1, qos1Unexplained: 0 });
    run.arrive(1, 7);
    expect(check(run.history())).toMatchObject({ qos1Duplicated: 2, qos1Unexplained: 1 });
  });

  it('is to lose what was refused or has no answer', () => {
    const run = goodRun();
    Object.assign(run.publication(1, 3), { acknowledgedAtMs: undefined, refusal: 0x97 });
    Object.assign(run.publication(2, 4), { acknowledgedAtMs: undefined });
    run.drop(1, 3);
    run.drop(2, 4);
    const found = { refused: 1, refusedDelivered: 0, unanswered: 1, lost: 0 };
    expect(check(run.history())).toMatchObject(found);
  });

  it('is to deliver what was refused', () => {
    const run = goodRun();
    Object.assign(run.publication(2, 3), { acknowledgedAtMs: undefined, refusal: 0x97 });
    const found = { ...NOTHING, refused: 1, refusedDelivered: 1 };
    expect(check(run.history())).toMatchObject(found);
  });
});

describe('the time to recover', () => {
  it('runs to the first delivery of what was due after the fault, and to the last that was late', () => {
    const run = new Run();
    run.faultsAtMs = [100];
    for (let number = 0; number < 600; number += 1) {
      run.publish(1);
      const dueAtMs = number * 10;
      const isStalled = dueAtMs >= 100 && dueAtMs < 3_500;
      run.arrive(1, number, { atMs: isStalled ? 3_500 : dueAtMs + 2 });
    }
    const { firstSeconds, steadySeconds } = check(run.history());
    expect(firstSeconds).toBeCloseTo(3.4);
    // Number 249 was due at 2,490 and came at 3,500: the last that was more than a second late.
    expect(steadySeconds).toBeCloseTo(3.4);
  });

  it('is that of the worst of several faults, and of live receivers only', () => {
    const run = goodRun();
    run.faultsAtMs = [0, 1_000];
    run.drop(1, 150);
    run.arrive(1, 150, { atMs: 9_000 });
    expect(check(run.history()).steadySeconds).toBeCloseTo(8);
    expect(check(run.history(undefined, false)).steadySeconds).toBe(0);
  });
});
