import { describe, expect, it } from '@jest/globals';
import { RecordingOutput, WIDE_LIMITS } from '#libs/testkit';
import {
  Outbound,
  SharedPublish,
  type EngineLimits,
  type OutboundMessage,
  type OutboundTerms,
} from './index.ts';

const TERMS: OutboundTerms = { version: 5, window: 2, packetBytesMax: 0, topicAliasMaximum: 0 };

function publishOf(text: string, partial: Partial<OutboundMessage> = {}): SharedPublish {
  const payload = Buffer.from(text);
  return new SharedPublish(
    { topic: 't', payload, receivedAtMs: 0, expiresAtMs: 0, ...partial },
    false,
  );
}

class Receiver {
  readonly output = new RecordingOutput();
  readonly outbound: Outbound;
  /** What is stored, oldest first. */
  stored: ReturnType<Receiver['deliveryOf']>[] = [];
  nowMs = 0;

  constructor(limits: Partial<EngineLimits> = {}) {
    this.outbound = new Outbound(this.output, { ...WIDE_LIMITS, ...limits });
  }

  /** Begins a connection of a session that lives in memory. */
  attach(terms: Partial<OutboundTerms> = {}): this {
    this.outbound.attach({ ...TERMS, ...terms });
    return this;
  }

  /** Begins a connection of a durable session, as its store has it. */
  resume(terms: Partial<OutboundTerms> = {}, releasedPacketIds: readonly number[] = []): this {
    const lastSequence = this.stored.at(-1)?.position.sequence ?? 0;
    this.outbound.attach({ ...TERMS, ...terms }, { releasedPacketIds, lastSequence });
    return this;
  }

  enqueue(text: string, qos: 1 | 2 = 1, partial: Partial<OutboundMessage> = {}): void {
    const publish = publishOf(text, partial);
    const form = { retain: false, subscriptionIdentifiers: [] };
    this.outbound.enqueue({ ...form, publish, qos, position: undefined }, this.nowMs);
  }

  deliveryOf(sequence: number, qos: 1 | 2 = 1, partial: Partial<OutboundMessage> = {}) {
    const publish = publishOf(String(sequence), partial);
    const position = { epoch: 1, sequence };
    return { publish, qos, position, retain: false, subscriptionIdentifiers: [] };
  }

  /** Puts messages into the store, without telling. */
  append(sequences: readonly number[], qos: 1 | 2 = 1): void {
    for (const sequence of sequences) this.stored.push(this.deliveryOf(sequence, qos));
  }

  /** Tells that a message is stored. */
  tell(sequence: number): void {
    const delivery = this.stored.find(({ position }) => position.sequence === sequence);
    if (delivery !== undefined) this.outbound.stored(delivery, this.nowMs);
  }

  /** Answers the oldest load that is not answered. */
  answerLoad(): void {
    const load = this.output.loads.shift();
    if (load === undefined) throw new Error('no load was asked for');
    const after = load.after?.sequence ?? 0;
    const found = this.stored.filter(({ position }) => position.sequence > after);
    this.outbound.loaded(load, found.slice(0, load.limit), this.nowMs);
  }

  ack(packetId: number): void {
    this.outbound.puback(packetId, this.nowMs);
    for (const { sequence } of this.output.settled.splice(0)) {
      this.stored = this.stored.filter(({ position }) => position.sequence !== sequence);
    }
  }

  /** What was sent since the last call: `id:payload`, with `!` for DUP. */
  sent(): string[] {
    return this.output.takeSent().map(({ packetId, dup, packet }) => {
      const text = Buffer.from(packet.payload).toString();
      return `${String(packetId)}:${text}${dup ? '!' : ''}`;
    });
  }
}

const upTo = (count: number, first = 1) =>
  Array.from({ length: count }, (_, index) => first + index);

describe('QoS 0', () => {
  const live = (receiver: Receiver, text: string, partial: Partial<OutboundMessage> = {}): void =>
    receiver.outbound.deliverLive(
      publishOf(text, partial),
      { qos: 0, retain: false, subscriptionIdentifiers: [] },
      receiver.nowMs,
    );

  it('is sent at once, whatever waits', () => {
    const receiver = new Receiver().attach({ window: 1 });
    for (const text of ['a', 'b']) receiver.enqueue(text);
    live(receiver, 'c');
    expect(receiver.sent()).toEqual(['1:a', '0:c']);
  });

  it('is dropped and counted for a client that does not take what is sent', () => {
    const receiver = new Receiver().attach();
    receiver.output.congested = true;
    live(receiver, 'a');
    receiver.output.congested = false;
    live(receiver, 'b');
    expect(receiver.sent()).toEqual(['0:b']);
    expect(receiver.output.drops).toEqual(['queue_full']);
  });

  it('is dropped when it expired or is larger than the client allows [MQTT-3.1.2-24]', () => {
    const receiver = new Receiver().attach({ packetBytesMax: 20 });
    receiver.nowMs = 10;
    live(receiver, 'a', { expiresAtMs: 10 });
    live(receiver, 'x'.repeat(20));
    receiver.outbound.detach();
    live(receiver, 'b');
    expect(receiver.sent()).toEqual([]);
    expect(receiver.output.drops).toEqual(['expired', 'too_large']);
  });
});

describe('the window', () => {
  it('is never exceeded and goes on in order [MQTT-4.9.0-2]', () => {
    const receiver = new Receiver().attach();
    for (const text of ['a', 'b', 'c', 'd']) receiver.enqueue(text);
    expect(receiver.sent()).toEqual(['1:a', '2:b']);
    receiver.ack(2);
    expect(receiver.sent()).toEqual(['3:c']);
    receiver.ack(9);
    expect(receiver.sent()).toEqual([]);
    receiver.ack(1);
    expect(receiver.sent()).toEqual(['4:d']);
    expect([receiver.outbound.inflightCount, receiver.outbound.queueCount]).toEqual([2, 0]);
  });

  it('waits for a socket that is full', () => {
    const receiver = new Receiver().attach();
    receiver.output.congested = true;
    receiver.enqueue('a');
    expect(receiver.sent()).toEqual([]);
    receiver.output.congested = false;
    receiver.outbound.pump(0);
    expect(receiver.sent()).toEqual(['1:a']);
  });

  it('counts QoS 2 until PUBCOMP, and gives no packet id twice [MQTT-2.2.1-4]', () => {
    const receiver = new Receiver().attach({ window: 65_535 });
    receiver.enqueue('first', 2);
    for (const index of upTo(65_534)) receiver.enqueue(String(index));
    receiver.enqueue('waits');
    receiver.output.takeSent();
    for (const packetId of upTo(65_534, 2)) receiver.ack(packetId);
    receiver.enqueue('last');
    expect(receiver.sent()).toEqual(['2:waits', '3:last']);
    receiver.outbound.pubrec(1, 0, 0);
    receiver.outbound.pubcomp(1, 0);
    expect(receiver.output.take().slice(-1)).toEqual(['pubrel 1 0x00']);
    expect(receiver.outbound.inflightCount).toBe(2);
  });
});

describe('what waits', () => {
  it('is bounded in messages and in bytes; more is dropped and counted', () => {
    const receiver = new Receiver({ queueMessagesMax: 2 }).attach({ window: 1 });
    for (const text of ['a', 'b', 'c', 'd']) receiver.enqueue(text);
    expect(receiver.output.drops).toEqual(['queue_full']);
    const bytes = new Receiver({ queueBytesMax: 7 }).attach({ window: 1 });
    for (const text of ['sent', '123', '456', '78']) bytes.enqueue(text);
    expect(bytes.output.drops).toEqual(['queue_full']);
    expect([bytes.outbound.queueCount, bytes.outbound.queueBytes]).toEqual([2, 7]);
    bytes.ack(1);
    expect(bytes.outbound.queueBytes).toBe(3);
    bytes.enqueue('', 1, { properties: { contentType: 'text' } });
    expect(bytes.output.drops).toEqual(['queue_full', 'queue_full']);
  });

  it('does not keep the chunk in memory that it came in', () => {
    const receiver = new Receiver().attach({ window: 1 });
    const chunk = new Uint8Array(65_536);
    for (const at of [0, 4]) receiver.enqueue('', 1, { payload: chunk.subarray(at, at + 4) });
    const kept = receiver.outbound.unsettled().map(({ publish }) => publish.message.payload.buffer);
    expect(kept.map(({ byteLength }) => byteLength)).toEqual([65_536, 4]);
  });

  it('is dropped when it has expired or is too large, and does not hold up the rest', () => {
    const receiver = new Receiver().attach({ window: 1, packetBytesMax: 30 });
    receiver.enqueue('a');
    receiver.enqueue('b', 1, { expiresAtMs: 5 });
    receiver.enqueue('x'.repeat(30));
    receiver.enqueue('c');
    receiver.nowMs = 5;
    receiver.ack(1);
    expect(receiver.sent()).toEqual(['1:a', '3:c']);
    expect(receiver.output.drops).toEqual(['expired', 'too_large']);
  });
});

describe('QoS 2', () => {
  it('goes from PUBREC to PUBREL to PUBCOMP [MQTT-4.3.3-4]', () => {
    const receiver = new Receiver().attach();
    receiver.enqueue('a', 2);
    receiver.outbound.pubrec(1, 0, 0);
    receiver.outbound.pubrec(1, 0, 0);
    receiver.outbound.pubcomp(1, 0);
    receiver.outbound.pubcomp(1, 0);
    expect(receiver.output.take()).toEqual(['publish 1 qos2', 'pubrel 1 0x00', 'pubrel 1 0x00']);
    expect(receiver.outbound.inflightCount).toBe(0);
  });

  it('ends with a PUBREC that refuses it [MQTT-4.4.0-2]', () => {
    const receiver = new Receiver().resume();
    receiver.append([1], 2);
    receiver.tell(1);
    receiver.outbound.pubrec(1, 0x97, 0);
    receiver.outbound.pubrec(1, 0x97, 0);
    expect(receiver.output.take()).toEqual(['publish 1 qos2', 'settle 1']);
  });

  it('does not end by a refusal after PUBREL was sent', () => {
    const receiver = new Receiver().resume({}, [7]);
    receiver.outbound.pubrec(7, 0x97, 0);
    receiver.outbound.pubcomp(7, 0);
    expect(receiver.output.take()).toEqual(['pubrel 7 0x00', 'pubrel 7 0x00', 'complete 7']);
  });

  it('that was sent is sent again though it has expired meanwhile [MQTT-4.3.3-7]', () => {
    const receiver = new Receiver().resume({ window: 2 });
    receiver.stored = [1, 2, 3].map((sequence) =>
      receiver.deliveryOf(sequence, sequence === 1 ? 1 : 2, { expiresAtMs: 10 }),
    );
    for (const sequence of [1, 2, 3]) receiver.tell(sequence);
    expect(receiver.sent()).toEqual(['1:1', '2:2']);
    receiver.outbound.detach();
    receiver.nowMs = 10;
    receiver.resume({ window: 2 }).answerLoad();
    expect(receiver.sent()).toEqual(['2:2!']);
    expect(receiver.output.drops).toEqual(['expired', 'expired']);
  });

  it('answers PUBREC for an unknown packet id in the terms of the version [MQTT-3.6.2-1]', () => {
    const receiver = new Receiver().attach();
    receiver.outbound.pubrec(7, 0, 0);
    receiver.outbound.detach();
    receiver.attach({ version: 4 });
    receiver.outbound.pubrec(7, 0, 0);
    expect(receiver.output.take()).toEqual(['pubrel 7 0x92', 'pubrel 7 0x00']);
  });

  it('is not settled by the wrong kind of acknowledgement', () => {
    const receiver = new Receiver().attach();
    receiver.enqueue('a', 2);
    receiver.enqueue('b', 1);
    receiver.ack(1);
    receiver.outbound.pubrec(2, 0, 0);
    receiver.outbound.pubcomp(1, 0);
    expect(receiver.output.take().slice(2)).toEqual(['close 0x82', 'close 0x82']);
    expect(receiver.outbound.inflightCount).toBe(2);
  });

  it('of a durable session waits for the store between PUBREC and PUBREL', () => {
    const receiver = new Receiver().resume();
    receiver.append([1], 2);
    receiver.tell(1);
    receiver.outbound.pubrec(1, 0, 0);
    receiver.outbound.pubrec(1, 0, 0);
    expect(receiver.output.take()).toEqual(['publish 1 qos2', 'release 1 as 1']);
    receiver.outbound.released(1);
    receiver.outbound.released(1);
    receiver.outbound.pubcomp(1, 0);
    expect(receiver.output.take()).toEqual(['pubrel 1 0x00', 'complete 1']);
  });

  it('goes on with PUBREL when the client comes back [MQTT-4.4.0-1]', () => {
    const receiver = new Receiver();
    receiver.append([6], 2);
    receiver.resume({}, [3, 5]);
    expect(receiver.output.take()).toEqual(['pubrel 3 0x00', 'pubrel 5 0x00', 'load after 0']);
    receiver.answerLoad();
    expect(receiver.sent()).toEqual([]);
    receiver.outbound.pubcomp(5, 0);
    expect(receiver.sent()).toEqual(['6:6!']);
  });
});

describe('a durable queue', () => {
  it('hands on what was stored while it is caught up, without a load', () => {
    const receiver = new Receiver().resume();
    receiver.append([1, 2, 3]);
    for (const sequence of [1, 2, 3]) receiver.tell(sequence);
    expect(receiver.sent()).toEqual(['1:1', '2:2']);
    receiver.ack(1);
    expect(receiver.sent()).toEqual(['3:3']);
    expect(receiver.output.loads).toEqual([]);
  });

  it('drains 5,000 offline messages through a window of 20, in order, each once', () => {
    const receiver = new Receiver();
    receiver.append(upTo(5000));
    receiver.resume({ window: 20 });
    const seen: string[] = [];
    while (receiver.stored.length > 0) {
      if (receiver.output.loads.length > 0) receiver.answerLoad();
      const sent = receiver.output.takeSent();
      expect(receiver.outbound.inflightCount).toBeLessThanOrEqual(20);
      expect(receiver.outbound.queueCount).toBeLessThanOrEqual(64);
      for (const { packetId, packet } of sent) {
        seen.push(Buffer.from(packet.payload).toString());
        receiver.ack(packetId);
      }
    }
    expect(seen).toEqual(upTo(5000).map(String));
  });

  it('takes no message twice when it is loaded before it is told, nor loses one told before', () => {
    const receiver = new Receiver();
    receiver.append([1]);
    receiver.resume({ window: 10 });
    receiver.append([2, 3]);
    receiver.tell(2);
    receiver.answerLoad();
    receiver.tell(3);
    receiver.append([4]);
    receiver.tell(4);
    expect(receiver.sent()).toEqual(['1:1!', '2:2', '3:3', '4:4']);
  });

  it('loads again for what was told while a load was under way and not in its answer', () => {
    const receiver = new Receiver();
    receiver.append([1]);
    receiver.resume({ window: 10 });
    const [load] = receiver.output.loads.splice(0);
    const [first] = receiver.stored;
    if (load === undefined || first === undefined) throw new Error('nothing was loaded');
    receiver.append([2]);
    receiver.tell(2);
    receiver.outbound.loaded(load, [first], 0);
    expect(receiver.sent()).toEqual(['1:1!']);
    receiver.answerLoad();
    expect(receiver.sent()).toEqual(['2:2']);
  });

  it('gets over an acknowledgement that comes while a load is under way', () => {
    const receiver = new Receiver();
    receiver.append(upTo(66));
    receiver.resume({ window: 64 });
    receiver.answerLoad();
    expect(receiver.output.takeSent()).toHaveLength(64);
    for (const packetId of [1, 2]) receiver.ack(packetId);
    receiver.answerLoad();
    expect(receiver.sent()).toEqual(['65:65!', '66:66!']);
  });

  it('knows what was stored between the record and the connection', () => {
    const receiver = new Receiver();
    const record = { releasedPacketIds: [], lastSequence: 0 };
    receiver.append([1]);
    receiver.tell(1);
    receiver.outbound.attach({ ...TERMS, window: 10 }, record);
    receiver.append([2]);
    receiver.tell(2);
    receiver.answerLoad();
    if (receiver.output.loads.length > 0) receiver.answerLoad();
    expect(receiver.sent().map((line) => line.replace('!', ''))).toEqual(['1:1', '2:2']);
  });

  it('does not take the answer for a former connection as its own', () => {
    const receiver = new Receiver();
    receiver.append(upTo(70));
    receiver.resume({ window: 64 });
    receiver.answerLoad();
    receiver.outbound.pump(0);
    const [late] = receiver.output.loads.splice(0);
    if (late === undefined) throw new Error('nothing was loaded');
    receiver.outbound.detach();
    receiver.resume({ window: 64 });
    receiver.output.takeSent();
    receiver.outbound.loaded(late, receiver.stored.slice(64), 0);
    receiver.outbound.loadFailed(late);
    expect(receiver.sent()).toEqual([]);
    receiver.answerLoad();
    expect(receiver.sent()[0]).toBe('1:1!');
  });

  it('goes on after a load that failed', () => {
    const receiver = new Receiver();
    receiver.append([1, 2]);
    receiver.resume();
    const [load] = receiver.output.loads.splice(0);
    if (load === undefined) throw new Error('nothing was loaded');
    receiver.outbound.loadFailed(load);
    receiver.append([3]);
    receiver.tell(3);
    receiver.outbound.pump(0);
    receiver.answerLoad();
    expect(receiver.sent()).toEqual(['1:1!', '2:2!']);
    receiver.ack(1);
    expect(receiver.sent()).toEqual(['3:3']);
  });

  it('sends again under the same packet ids with DUP, oldest first [MQTT-4.4.0-1]', () => {
    const receiver = new Receiver();
    receiver.resume({ window: 5 });
    receiver.append(upTo(7));
    for (const sequence of upTo(7)) receiver.tell(sequence);
    expect(receiver.sent()).toEqual(['1:1', '2:2', '3:3', '4:4', '5:5']);
    receiver.ack(2);
    receiver.outbound.detach();
    receiver.output.takeSent();
    // The new window is smaller than what the old one left behind.
    receiver.resume({ window: 2 });
    receiver.answerLoad();
    expect(receiver.sent()).toEqual(['1:1!', '3:3!']);
    for (const packetId of [1, 3]) receiver.ack(packetId);
    expect(receiver.sent()).toEqual(['4:4!', '5:5!']);
    for (const packetId of [4, 5]) receiver.ack(packetId);
    expect(receiver.sent()).toEqual(['6:6!', '7:7']);
  });

  it('waits for a packet id that an older message still holds', () => {
    const receiver = new Receiver();
    receiver.stored.push(receiver.deliveryOf(65_536));
    receiver.resume({ window: 5 }, [1]);
    receiver.answerLoad();
    expect(receiver.sent()).toEqual([]);
    receiver.outbound.pubcomp(1, 0);
    expect(receiver.sent()).toEqual(['1:65536!']);
  });

  it('settles what it drops', () => {
    const receiver = new Receiver().resume();
    receiver.nowMs = 10;
    receiver.stored.push(receiver.deliveryOf(1, 1, { expiresAtMs: 10 }));
    receiver.tell(1);
    expect(receiver.output.take()).toEqual(['settle 1', 'dropped expired']);
  });
});

describe('below a mountpoint', () => {
  const topics = (receiver: Receiver): string[] =>
    receiver.output.takeSent().map(({ packet }) => packet.topic);

  it('a client gets what is there, by the name that it knows, and nothing else', () => {
    const receiver = new Receiver().attach({ mountpoint: 'm/', window: 9 });
    for (const topic of ['m/a', 'n/a', 'm/b/c', 'm', '$SYS/x']) receiver.enqueue('x', 1, { topic });
    const form = { qos: 0, retain: false, subscriptionIdentifiers: [] } as const;
    for (const topic of ['m/d', 'd']) {
      receiver.outbound.deliverLive(publishOf('x', { topic }), form, 0);
    }
    expect(topics(receiver)).toEqual(['a', 'b/c', '$SYS/x', 'd']);
    expect(receiver.output.drops).toEqual(Array.from({ length: 3 }, () => 'outside_mountpoint'));
  });

  it('the queue of a session that was elsewhere before goes on behind what is not there', () => {
    const receiver = new Receiver();
    for (const sequence of upTo(200)) {
      const topic = sequence % 100 === 0 ? 'm/a' : 'n/a';
      receiver.stored.push(receiver.deliveryOf(sequence, 1, { topic }));
    }
    receiver.resume({ mountpoint: 'm/' });
    const sent: string[] = [];
    while (receiver.output.loads.length > 0) {
      receiver.answerLoad();
      sent.push(...topics(receiver));
    }
    expect(sent).toEqual(['a', 'a']);
    expect(receiver.output.settled).toHaveLength(198);
    expect(receiver.output.drops).toHaveLength(198);
  });

  it('topic aliases are those of the names that the client knows', () => {
    const receiver = new Receiver().attach({ mountpoint: 'm/', topicAliasMaximum: 1, window: 9 });
    for (const topic of ['m/long/topic', 'm/long/topic']) receiver.enqueue('x', 1, { topic });
    expect(topics(receiver)).toEqual(['long/topic', '']);
  });
});
