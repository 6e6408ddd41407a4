import { describe, expect, it } from '@jest/globals';
import type { AckPacket, ConnackPacket, Packet, PublishPacket } from '#libs/mqtt-codec';
import { check } from './checker.ts';
import type { Link } from './device.ts';
import { decodeNumbers, encodeNumbers, topicOf } from './payload.ts';
import { Publisher } from './publisher.ts';
import { Receiver } from './receiver.ts';

const CONNACK: ConnackPacket = { kind: 'connack', sessionPresent: true, reasonCode: 0 };
const REFUSED = 0x97;

/** Remembers what was sent. */
class MemoryLink implements Link {
  isConnected = true;
  connections = 0;
  readonly sent: Packet[] = [];

  send(packet: Packet): void {
    this.sent.push(packet);
  }

  abandon(): void {
    this.isConnected = false;
  }

  /** What was sent since the last call: for PUBLISH its number, with DUP. */
  take(): readonly string[] {
    return this.sent.splice(0).map((packet) => {
      if (packet.kind !== 'publish') return packet.kind;
      const { number } = decodeNumbers(packet.payload);
      return `${packet.dup ? 'again' : 'publish'} ${String(number)}`;
    });
  }
}

const ack = (kind: AckPacket['kind'], packetId: number, reasonCode: 0 | 0x97 = 0): AckPacket => ({
  kind,
  packetId,
  reasonCode,
});

function connect(role: Publisher | Receiver, link: MemoryLink): void {
  link.connections += 1;
  role.connected(link, CONNACK);
}

describe('a publisher that has lost its connection', () => {
  it('sends what was not acknowledged again, with DUP and in order, and then what became due', () => {
    const [publisher, link] = [new Publisher(0, 1), new MemoryLink()];
    connect(publisher, link);
    for (let number = 0; number < 3; number += 1) publisher.due(number);
    publisher.pump();
    expect(link.take()).toEqual(['publish 0', 'publish 1', 'publish 2']);
    publisher.received(link, ack('puback', 2));
    link.isConnected = false;
    publisher.due(3);
    publisher.pump();
    expect(link.take()).toEqual([]);

    link.isConnected = true;
    connect(publisher, link);

    expect(link.take()).toEqual(['again 0', 'again 2', 'publish 3']);
    expect(publisher.publications.map(({ sends }) => sends)).toEqual([2, 1, 2, 1]);
  });

  it('sends PUBREL again where PUBREC had come', () => {
    const [publisher, link] = [new Publisher(1, 2), new MemoryLink()];
    connect(publisher, link);
    publisher.due(0);
    publisher.due(1);
    publisher.pump();
    publisher.received(link, ack('pubrec', 1));
    expect(link.take()).toEqual(['publish 0', 'publish 1', 'pubrel']);

    connect(publisher, link);

    expect(link.take()).toEqual(['pubrel', 'again 1']);
    expect(publisher.isIdle).toBe(false);
    publisher.received(link, ack('pubcomp', 1));
    publisher.received(link, ack('pubrec', 2));
    publisher.received(link, ack('pubcomp', 2));
    expect(publisher.isIdle).toBe(true);
  });
});

describe('a message that is refused', () => {
  it.each(['puback', 'pubrec'] as const)('is given up and not acknowledged (%s)', (kind) => {
    const [publisher, link] = [new Publisher(0, kind === 'puback' ? 1 : 2), new MemoryLink()];
    connect(publisher, link);
    publisher.due(0);
    publisher.pump();
    publisher.received(link, ack(kind, 1, REFUSED));
    connect(publisher, link);
    expect(link.take()).toEqual(['publish 0']);
    const [publication] = publisher.publications;
    expect(publication).toMatchObject({ refusal: REFUSED, acknowledgedAtMs: undefined });
  });
});

const publish = (number: number, packetId: number, dup: boolean): PublishPacket => ({
  kind: 'publish',
  dup,
  qos: 2,
  retain: false,
  topic: topicOf(0),
  packetId,
  payload: encodeNumbers(0, number),
});

describe('a receiver with two connections', () => {
  it('hears the later one, and ends the earlier one when a message comes there', () => {
    const wants = (): boolean => true;
    const receiver = new Receiver({ name: 'r', isLive: true, filters: ['faults/#'], wants });
    const [earlier, later] = [new MemoryLink(), new MemoryLink()];
    connect(receiver, earlier);
    connect(receiver, later);
    receiver.received(later, publish(0, 7, false));
    expect(earlier.isConnected).toBe(true);
    receiver.received(earlier, publish(1, 8, false));
    expect(earlier.isConnected).toBe(false);
    expect([receiver.has(0, 0), receiver.has(0, 1)]).toEqual([true, false]);
  });
});

describe('a publisher, a receiver and the checker', () => {
  it('agree on what a broker did', () => {
    const [publisher, link] = [new Publisher(0, 2), new MemoryLink()];
    connect(publisher, link);
    for (let number = 0; number < 3; number += 1) publisher.due(number);
    publisher.pump();
    for (let packetId = 1; packetId <= 3; packetId += 1) {
      publisher.received(link, ack('pubrec', packetId));
    }
    const wants = (): boolean => true;
    const receiver = new Receiver({ name: 'r', isLive: true, filters: ['faults/#'], wants });
    const home = new MemoryLink();
    connect(receiver, home);
    receiver.received(home, publish(0, 7, false));
    receiver.received(home, publish(0, 7, true));
    receiver.received(home, ack('pubrel', 7));
    receiver.received(home, publish(0, 8, false));
    receiver.received(home, publish(2, 9, false));
    expect(home.sent.map(({ kind }) => kind)).toEqual([
      ...['pubrec', 'pubrec', 'pubcomp', 'pubrec', 'pubrec'],
    ]);

    const { publications } = publisher;
    const verdict = check({ publications: [publications], receivers: [receiver], faultsAtMs: [] });

    expect(verdict).toMatchObject({ acknowledged: 3, delivered: 2, lost: 1, qos2Duplicated: 1 });
  });
});
