import { describe, expect, it } from '@jest/globals';
import type { Ban } from '#libs/access';
import type { DisconnectReason } from '#libs/broker-ports';
import { LocalDefinitionStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, RecordingLog, countingMeter, fakeClock, quiet } from '#libs/testkit';
import type { NewBan } from '../bans.ts';
import { Flapping, type FlappingSettings } from './flapping.ts';

const SETTINGS: FlappingSettings = {
  connectionsMax: 3,
  connectionsPerAddressMax: 0,
  windowSeconds: 60,
  banSeconds: 300,
};
const BANNED = 0x8a;

interface Visit {
  readonly clientId?: string;
  readonly username?: string | undefined;
  readonly remoteAddress?: string;
  readonly reason?: DisconnectReason;
  readonly lastedMs?: number;
}

function watch(settings: Partial<FlappingSettings> = {}) {
  const clock = fakeClock();
  const log = new RecordingLog();
  const { meter, counts } = countingMeter();
  const bans: NewBan[] = [];
  const flapping = new Flapping(
    { ...SETTINGS, ...settings },
    {
      ...{ meter, log, nowMs: clock.now },
      ban: async (wanted) => bans.push(wanted),
    },
  );
  const visit = (count: number, how: Visit = {}): void => {
    const { reason = 'normal', lastedMs = 1 } = how;
    const { clientId = 'c', username, remoteAddress = '192.0.2.1' } = how;
    const client = { clientId, username, remoteAddress, listener: 'tcp' };
    for (let left = count; left > 0; left -= 1) flapping.ended({ client, reason, lastedMs });
  };
  return { clock, log, counts, bans, visit, flapping };
}

describe('a client id that comes and goes', () => {
  it('is banned for a while when that is more often than it may', () => {
    const { bans, counts, clock, visit } = watch();
    visit(3);
    expect(bans).toEqual([]);
    visit(1);
    expect(bans).toEqual([
      {
        ...{ kind: 'client_id', value: 'c', by: 'flapping' },
        reason: 'more than 3 connections ended within 60 s',
        untilMs: clock.now() + 300_000,
      },
    ]);
    visit(5);
    expect(bans).toHaveLength(1);
    expect(counts.get('flapped')).toBe(1);
  });

  it('is not banned when that takes longer than a window', () => {
    const { bans, clock, visit } = watch();
    for (let window = 0; window < 3; window += 1) {
      visit(3);
      clock.advance(60_000);
    }
    expect(bans).toEqual([]);
  });

  it('is not banned for others', () => {
    const { bans, visit } = watch();
    for (const clientId of ['a', 'b', 'c', 'd']) visit(3, { clientId });
    expect(bans).toEqual([]);
  });

  it.each(['shutdown', 'storage_unavailable', 'lease_lost', 'kicked', 'banned'] as const)(
    'is not banned for what the node does: %s',
    (reason) => {
      const { bans, visit } = watch();
      visit(10, { reason });
      expect(bans).toEqual([]);
    },
  );

  it('is not banned for connections that have lasted', () => {
    const { bans, visit } = watch({ connectionsPerAddressMax: 1 });
    visit(10, { reason: 'network', lastedMs: 60_000 });
    expect(bans).toEqual([]);
  });

  it('is held to other bounds as soon as they are there', () => {
    const { bans, flapping, visit } = watch();
    visit(3);
    flapping.configure({ ...SETTINGS, connectionsMax: 1 });
    visit(1);
    expect(bans).toEqual([]);
    visit(1);
    expect(bans).toHaveLength(1);
  });

  it('is not counted without a bound', () => {
    const { bans, visit } = watch({ connectionsMax: 0 });
    visit(1_000);
    expect(bans).toEqual([]);
  });
});

describe('a user at an address', () => {
  const settings = { connectionsMax: 0, connectionsPerAddressMax: 3 };

  it('has the address banned, whatever client ids it takes', () => {
    const { bans, visit } = watch(settings);
    for (const clientId of ['a', 'b', 'c', 'd']) visit(1, { clientId, username: 'ann' });
    expect(bans).toMatchObject([{ kind: 'address', value: '192.0.2.1' }]);
  });

  it('is another one at another address, and beside another user', () => {
    const { bans, visit } = watch(settings);
    for (const username of ['ann', 'bob', undefined]) {
      for (const remoteAddress of ['192.0.2.1', '192.0.2.2']) visit(3, { username, remoteAddress });
    }
    expect(bans).toEqual([]);
  });

  it('has a /64 of IPv6 to itself', () => {
    const { bans, visit } = watch(settings);
    for (const host of ['1', '2', '3', '4%eth0']) {
      visit(1, { remoteAddress: `2001:db8:0:7::${host}` });
    }
    visit(4, { remoteAddress: '::ffff:192.0.2.1' });
    expect(bans).toMatchObject([{ value: '2001:db8:0:7::/64' }, { value: '::ffff:192.0.2.1' }]);
  });
});

it('counts so many, and not more, in a window', () => {
  const { bans, clock, visit } = watch({ connectionsMax: 1 });
  for (let each = 0; each < 100_000; each += 1) visit(1, { clientId: `c${String(each)}` });
  visit(2, { clientId: 'late' });
  expect(bans).toEqual([]);
  visit(1, { clientId: 'c0' });
  expect(bans).toHaveLength(1);
  clock.advance(60_000);
  visit(2, { clientId: 'late' });
  expect(bans).toMatchObject([{ value: 'c0' }, { value: 'late' }]);
});

describe('a node that bans who comes and goes', () => {
  async function begin(store: LocalDefinitionStore<Ban>) {
    const clock = fakeClock();
    const memory = new MemoryNode({
      clock,
      sessions: new LocalSessionStore({ clock: clock.now }),
      retained: new LocalRetainedStore({ clock: clock.now }),
      bans: { store, bansMax: 10 },
      flapping: SETTINGS,
    });
    await memory.node.start();
    return memory;
  }

  async function flap(memory: MemoryNode): Promise<number[]> {
    const codes: number[] = [];
    for (let left = 5; left > 0; left -= 1) {
      const client = memory.client();
      codes.push((await client.connect({ clientId: 'c' })).reasonCode);
      client.cut();
      await quiet();
    }
    return codes;
  }

  async function codeOf(memory: MemoryNode, clientId: string): Promise<number> {
    return (await memory.client().connect({ clientId })).reasonCode;
  }

  it('refuses it, and nobody else, until the ban ends', async () => {
    const memory = await begin(new LocalDefinitionStore<Ban>('bans'));
    expect(await flap(memory)).toEqual([0, 0, 0, 0, BANNED]);
    expect(await codeOf(memory, 'other')).toBe(0);
    expect(memory.log.of('ban-made')).toHaveLength(1);
    memory.sweepAfter(299_000);
    expect(await codeOf(memory, 'c')).toBe(BANNED);
    memory.sweepAfter(1_000);
    await quiet();
    expect(await codeOf(memory, 'c')).toBe(0);
  });

  it('bans clients that take one id from each other', async () => {
    const memory = await begin(new LocalDefinitionStore<Ban>('bans'));
    const codes: number[] = [];
    for (let left = 5; left > 0; left -= 1) {
      codes.push(await codeOf(memory, 'c'));
      await quiet();
    }
    expect(codes).toEqual([0, 0, 0, 0, BANNED]);
    expect(memory.disconnects.get('taken_over')).toBe(4);
  });

  it('does so while the others cannot be told', async () => {
    class Away extends LocalDefinitionStore<Ban> {
      override get(): never {
        throw new Error('away');
      }
    }
    const memory = await begin(new Away('bans'));
    expect(await flap(memory)).toEqual([0, 0, 0, 0, BANNED]);
    expect(memory.log.of('ban-not-shared')).toHaveLength(1);
  });
});
