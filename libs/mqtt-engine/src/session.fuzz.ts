import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import type { ProtocolVersion, PublishPacket } from '#libs/mqtt-codec';
import { RecordingOutput, WIDE_LIMITS } from '#libs/testkit';
import { OPEN_RULES, Session, SharedPublish, negotiate, type Delivery } from './index.ts';

const WINDOW = 3;

type Stored = Delivery & {
  readonly position: { readonly epoch: number; readonly sequence: number };
};

interface Step {
  readonly act:
    | 'append'
    | 'tell'
    | 'load'
    | 'fail'
    | 'ack'
    | 'rec'
    | 'release'
    | 'comp'
    | 'reconnect'
    | 'congest'
    | 'drain';
  /** Which of several, or how many. */
  readonly pick: number;
  readonly qos: 1 | 2;
}

const steps = fc.array(
  fc.record<Step>({
    act: fc.constantFrom(
      ...(['append', 'append', 'append', 'tell', 'tell', 'load', 'load', 'ack', 'ack'] as const),
      ...(['fail', 'rec', 'release', 'comp', 'reconnect', 'congest', 'drain'] as const),
    ),
    pick: fc.nat(90),
    qos: fc.constantFrom(1, 2),
  }),
  { maxLength: 120 },
);

/** A store, a client and a durable session between them; every answer comes when the fuzzer says so. */
class DurableWorld {
  readonly output = new RecordingOutput();
  readonly session = new Session(this.output, { ...WIDE_LIMITS, inflightMax: WINDOW });
  /** The queue in the store; `told` messages have been answered as stored. */
  queue: Stored[] = [];
  #untold: Stored[] = [];
  readonly #released = new Set<number>();
  #releases: { sequence: number; packetId: number }[] = [];
  #lastSequence = 0;
  #readLines = 0;
  /** What this connection has been sent and has not finished, oldest first. */
  #open: { packetId: number; sequence: number; qos: number; state: 'sent' | 'rec' | 'rel' }[] = [];
  #sentHere = new Set<number>();
  #lastSentHere = 0;
  readonly #received = new Map<number, number>();

  constructor() {
    this.#connect();
  }

  run({ act, pick, qos }: Step): void {
    switch (act) {
      case 'append':
        for (let count = 0; count <= pick; count += 1) this.#append(qos);
        break;
      case 'tell':
        for (const delivery of this.#untold.splice(0, pick))
          this.session.outbound.stored(delivery, 0);
        break;
      case 'load':
        this.#answerLoad(pick);
        break;
      case 'fail':
        this.#failLoad(pick);
        break;
      case 'ack':
        this.#acknowledge(pick, 1);
        break;
      case 'rec':
        this.#acknowledge(pick, 2);
        break;
      case 'release':
        this.#answerRelease(pick);
        break;
      case 'comp':
        this.#complete(pick);
        break;
      case 'reconnect':
        this.session.detach();
        this.#connect();
        break;
      case 'congest':
        this.output.congested = true;
        break;
      case 'drain':
        this.#drain();
    }
    this.#observe();
  }

  /** Lets everything come to its end: whatever is stored must arrive. */
  finish(): void {
    for (let round = 0; this.queue.length > 0 || this.#open.length > 0; round += 1) {
      if (round > 20_000) throw new Error(`${String(this.queue.length)} messages never came`);
      for (const delivery of this.#untold.splice(0)) this.session.outbound.stored(delivery, 0);
      while (this.output.loads.length > 0) this.#answerLoad(0);
      this.#drain();
      this.#observe();
      this.#acknowledge(0, 1);
      this.#acknowledge(0, 2);
      this.#observe();
      while (this.#releases.length > 0) this.#answerRelease(0);
      this.#observe();
      this.#complete(0);
      this.#observe();
    }
  }

  #append(qos: 1 | 2): void {
    this.#lastSequence += 1;
    const payload = Buffer.from(String(this.#lastSequence));
    const publish = new SharedPublish(
      { topic: 't', payload, receivedAtMs: 0, expiresAtMs: 0 },
      false,
    );
    const position = { epoch: 1, sequence: this.#lastSequence };
    const delivery = { publish, qos, position, retain: false, subscriptionIdentifiers: [] };
    this.queue.push(delivery);
    this.#untold.push(delivery);
  }

  #connect(): void {
    this.#open = [...this.#released].map((packetId) => ({
      packetId,
      sequence: 0,
      qos: 2,
      state: 'rel',
    }));
    this.#sentHere = new Set();
    this.#lastSentHere = 0;
    const version: ProtocolVersion = 5;
    const negotiation = negotiate(
      {
        kind: 'connect',
        version,
        cleanStart: false,
        keepAlive: 0,
        clientId: 'c',
        properties: { sessionExpiryInterval: 100 },
      },
      { ...WIDE_LIMITS, inflightMax: WINDOW },
      { rules: OPEN_RULES, assignClientId: () => 'assigned' },
    );
    if (negotiation.kind === 'refused') throw new Error(negotiation.detail);
    this.session.attach(negotiation.terms, true, {
      receivedPacketIds: [],
      receiving: [],
      releasedPacketIds: [...this.#released],
      lastSequence: this.#lastSequence,
    });
  }

  #answerLoad(pick: number): void {
    const { loads } = this.output;
    const [load] = loads.splice(pick % Math.max(1, loads.length), 1);
    if (load === undefined) return;
    const after = load.after?.sequence ?? 0;
    const found = this.queue.filter(({ position }) => position.sequence > after);
    this.session.outbound.loaded(load, found.slice(0, load.limit), 0);
  }

  #failLoad(pick: number): void {
    const { loads } = this.output;
    const [load] = loads.splice(pick % Math.max(1, loads.length), 1);
    if (load !== undefined) this.session.outbound.loadFailed(load);
  }

  #drain(): void {
    this.output.congested = false;
    this.session.outbound.pump(0);
  }

  #acknowledge(pick: number, qos: 1 | 2): void {
    const open = this.#open.filter((one) => one.qos === qos && one.state === 'sent');
    const one = open[pick % Math.max(1, open.length)];
    if (one === undefined) return;
    if (qos === 2) one.state = 'rec';
    else this.#open.splice(this.#open.indexOf(one), 1);
    const kind = qos === 1 ? 'puback' : 'pubrec';
    this.session.handle({ kind, packetId: one.packetId, reasonCode: 0 }, 0);
  }

  #answerRelease(pick: number): void {
    const [release] = this.#releases.splice(pick % Math.max(1, this.#releases.length), 1);
    if (release !== undefined) this.session.outbound.released(release.packetId);
  }

  #complete(pick: number): void {
    const open = this.#open.filter(({ state }) => state === 'rel');
    const one = open[pick % Math.max(1, open.length)];
    if (one === undefined) return;
    this.#open.splice(this.#open.indexOf(one), 1);
    this.session.handle({ kind: 'pubcomp', packetId: one.packetId, reasonCode: 0 }, 0);
  }

  /** Carries out what the session asked of its store, and checks what it sent. */
  #observe(): void {
    for (const { packetId, packet } of this.output.takeSent()) this.#sent(packetId, packet);
    for (const { sequence } of this.output.settled.splice(0)) this.#remove(sequence);
    for (const line of this.output.lines.slice(this.#readLines)) {
      const [verb, first = '', , last = ''] = line.split(' ');
      if (verb === 'release') {
        this.#remove(Number(first));
        this.#released.add(Number(last));
        this.#releases.push({ sequence: Number(first), packetId: Number(last) });
      }
      if (verb === 'complete') this.#released.delete(Number(first));
      if (verb === 'pubrel') {
        const one = this.#open.find(({ packetId }) => packetId === Number(first));
        if (one !== undefined) one.state = 'rel';
      }
      if (verb === 'close') throw new Error(`the session closed: ${line}`);
    }
    this.#readLines = this.output.lines.length;
    if (this.#open.length > WINDOW + this.#released.size) throw new Error('the window is exceeded');
    if (this.session.outbound.queueCount > 64) throw new Error('too much is held in memory');
  }

  #sent(packetId: number, packet: PublishPacket): void {
    const sequence = Number(Buffer.from(packet.payload).toString());
    if (this.#sentHere.has(sequence)) throw new Error(`${String(sequence)} was sent twice`);
    if (sequence < this.#lastSentHere) throw new Error(`${String(sequence)} came out of order`);
    if (this.#open.some((one) => one.packetId === packetId)) throw new Error('the id is in use');
    const before = this.#received.get(sequence);
    if (before !== undefined && before !== packetId) throw new Error('the id has changed');
    this.#received.set(sequence, packetId);
    this.#sentHere.add(sequence);
    this.#lastSentHere = sequence;
    this.#open.push({ packetId, sequence, qos: packet.qos, state: 'sent' });
    if (this.#open.filter(({ state }) => state !== 'rel').length > WINDOW) {
      throw new Error('the window is exceeded');
    }
  }

  #remove(sequence: number): void {
    this.queue = this.queue.filter(({ position }) => position.sequence !== sequence);
  }
}

describe('a durable session', () => {
  it('sends what is stored once per connection until it is acknowledged, in order, within its window', () => {
    fc.assert(
      fc.property(steps, (acts) => {
        const world = new DurableWorld();
        for (const step of acts) world.run(step);
        world.finish();
      }),
      { numRuns: 300 },
    );
  });
});

describe('a session in memory', () => {
  it('sends what was taken once and in order, within its window', () => {
    const acts = fc.array(fc.tuple(fc.constantFrom('in', 'in', 'ack', 'rec', 'comp'), fc.nat(20)));
    fc.assert(
      fc.property(acts, (sequence) => {
        const output = new RecordingOutput();
        const session = new Session(output, { ...WIDE_LIMITS, queueMessagesMax: 10 });
        session.outbound.attach({
          version: 5,
          window: WINDOW,
          packetBytesMax: 0,
          topicAliasMaximum: 0,
        });
        const open = new Map<number, 'puback' | 'pubrec' | 'pubcomp'>();
        const expected: string[] = [];
        const seen: string[] = [];
        for (const [index, [act, pick]] of sequence.entries()) {
          const drops = output.drops.length;
          if (act === 'in') {
            const payload = Buffer.from(String(index));
            const message = { topic: 't', payload, receivedAtMs: 0, expiresAtMs: 0 };
            const publish = new SharedPublish(message, false);
            const qos = pick % 2 === 0 ? 1 : 2;
            const form = { qos, retain: false, subscriptionIdentifiers: [] } as const;
            session.outbound.enqueue({ ...form, publish, position: undefined }, 0);
            if (output.drops.length === drops) expected.push(String(index));
          } else {
            const kind = { ack: 'puback', rec: 'pubrec', comp: 'pubcomp' } as const;
            const wanted = kind[act];
            const ids = [...open].filter(([, state]) => state === wanted).map(([id]) => id);
            const packetId = ids[pick % Math.max(1, ids.length)];
            if (packetId === undefined) continue;
            if (wanted === 'pubrec') open.set(packetId, 'pubcomp');
            else open.delete(packetId);
            session.handle({ kind: wanted, packetId, reasonCode: 0 }, 0);
          }
          for (const { packetId, packet } of output.takeSent()) {
            if (open.has(packetId)) throw new Error('the id is in use');
            open.set(packetId, packet.qos === 1 ? 'puback' : 'pubrec');
            seen.push(Buffer.from(packet.payload).toString());
          }
          if (open.size > WINDOW) throw new Error('the window is exceeded');
          if (session.outbound.queueCount > 10) throw new Error('the queue is too long');
        }
        if (seen.join() !== expected.slice(0, seen.length).join()) throw new Error('order or loss');
        const waiting = expected.length - seen.length;
        if (waiting !== session.outbound.queueCount) throw new Error('a message is lost');
      }),
      { numRuns: 300 },
    );
  });
});
