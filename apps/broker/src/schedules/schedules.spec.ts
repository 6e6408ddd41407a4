import { describe, expect, it } from '@jest/globals';
import type { DefinitionStore, DelayedStore, MessageSchedule } from '#libs/broker-ports';
import { LocalDefinitionStore, LocalDelayedStore } from '#libs/store-local';
import { RecordingLog, messageOf, until } from '#libs/testkit';
import { Schedules } from './schedules.ts';

const START = Date.parse('2026-01-02T03:04:30Z');
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const CLAIM = { claimer: 'n#1', leaseMs: 30_000, limit: 500 };

/** Nodes that share their stores and a clock. */
class Nodes {
  nowMs = START;
  readonly store: DefinitionStore<MessageSchedule> = new LocalDefinitionStore('schedules');
  readonly delayed: DelayedStore = new LocalDelayedStore({ clock: () => this.nowMs });
  readonly came: string[] = [];
  readonly log = new RecordingLog();
  readonly metered: string[] = [];
  nodes: Schedules[] = [];
  bounds: { readonly messagesMax: number; readonly bytesMax: number } | undefined = {
    messagesMax: 1_000,
    bytesMax: 1_000_000,
  };

  start(store = this.store): Schedules {
    const node = new Schedules({
      ...{ store, delayed: this.delayed, bounds: () => this.bounds },
      ...{ meter: { delayed: (outcome) => void this.metered.push(outcome) }, log: this.log },
      nowMs: () => this.nowMs,
    });
    node.open();
    this.nodes.push(node);
    return node;
  }

  /** A second goes by: all nodes look, and one of them publishes what is due. */
  async second(): Promise<void> {
    this.nowMs += SECOND;
    for (const node of this.nodes) node.sweep();
    await this.settled();
    const due = await this.delayed.claim(CLAIM);
    await this.delayed.settle(due.map(({ id }) => id));
    const time = new Date(this.nowMs).toISOString().slice(11, 19);
    for (const { message } of due) this.came.push(`${time} ${message.topic}`);
  }

  async seconds(count: number): Promise<void> {
    for (let second = 0; second < count; second += 1) await this.second();
  }

  /** All nodes have done what they began. */
  async settled(): Promise<void> {
    const nodes = this.nodes;
    await Promise.all(nodes.map((node) => node.close()));
    for (const node of nodes) node.open();
  }
}

describe('scheduled messages', () => {
  it('come at each time of a cron expression, once however many nodes there are', async () => {
    const cluster = new Nodes();
    const first = cluster.start();
    cluster.start();
    cluster.start();
    await first.add(messageOf({ topic: 't', qos: 0 }), { cron: '*/2 * * * *' });
    await cluster.seconds(300);
    expect(cluster.came).toEqual(['03:06:00 t', '03:08:00 t']);
    const [schedule] = await first.list();
    expect(schedule).toMatchObject({
      count: 2,
      lastAtMs: Date.parse('2026-01-02T03:08:00Z'),
      nextAtMs: Date.parse('2026-01-02T03:10:00Z'),
    });
  });

  it('comes once at a time, is listed as done, and is forgotten after a day', async () => {
    const cluster = new Nodes();
    const node = cluster.start();
    const added = await node.add(messageOf({ topic: 't' }), { atMs: START + 20_500 });
    await cluster.seconds(40);
    expect(cluster.came).toEqual(['03:04:51 t']);
    expect(await node.get(added?.id ?? '')).toMatchObject({ count: 1, lastAtMs: START + 20_500 });
    expect((await node.get(added?.id ?? ''))?.nextAtMs).toBeUndefined();
    cluster.nowMs += 24 * HOUR;
    await cluster.seconds(2);
    expect(await node.list()).toEqual([]);
    expect(cluster.came).toHaveLength(1);
  });

  it('that finds no room is tried again each second, and told once for each time', async () => {
    const cluster = new Nodes();
    const node = cluster.start();
    await node.add(messageOf({ topic: 't' }), { cron: '* * * * *' });
    cluster.bounds = { messagesMax: 0, bytesMax: 0 };
    await cluster.seconds(40);
    expect(cluster.log.of('scheduled-message-not-stored')).toHaveLength(1);
    expect(cluster.metered).toEqual(['refused']);
    cluster.bounds = { messagesMax: 10, bytesMax: 10_000 };
    await cluster.second();
    expect(cluster.came).toEqual(['03:05:11 t']);
    expect(cluster.metered).toEqual(['refused', 'stored']);
  });

  it('have a bound in bytes together', async () => {
    const cluster = new Nodes();
    const node = cluster.start();
    const large = messageOf({ topic: 't', payload: Buffer.alloc(3 * 1024 * 1024) });
    const outcomes: boolean[] = [];
    for (let count = 0; count < 5; count += 1) {
      outcomes.push((await node.add(large, { atMs: START + HOUR })) !== undefined);
    }
    expect(outcomes).toEqual([true, true, true, false, false]);
    expect(await node.list()).toHaveLength(3);
  });

  it('one stands for all the times at which no node was there', async () => {
    const cluster = new Nodes();
    const node = cluster.start();
    await node.add(messageOf({ topic: 't' }), { cron: '* * * * *' });
    cluster.nowMs += 3 * HOUR;
    await cluster.seconds(70);
    expect(cluster.came).toEqual(['06:04:31 t', '06:05:00 t']);
  });

  it('come once although a node dies between giving the message away and going on', async () => {
    const cluster = new Nodes();
    const dying: DefinitionStore<MessageSchedule> = Object.create(cluster.store, {
      put: { value: () => Promise.reject(new Error('it has died')) },
      watch: { value: cluster.store.watch.bind(cluster.store) },
    }) as DefinitionStore<MessageSchedule>;
    await cluster.start().add(messageOf({ topic: 't' }), { atMs: START + 15_000 });
    cluster.nodes = [];
    cluster.start(dying);
    await cluster.seconds(8);
    expect(cluster.delayed.size().messages).toBe(1);
    cluster.nodes = [];
    cluster.start();
    await cluster.seconds(20);
    expect(cluster.came).toEqual(['03:04:45 t']);
  });

  it('come no more when they are deleted, also those that wait already', async () => {
    const cluster = new Nodes();
    const node = cluster.start();
    const deleted = await node.add(messageOf({ topic: 'deleted' }), { atMs: START + 8_000 });
    await node.add(messageOf({ topic: 'kept' }), { atMs: START + 8_000 });
    expect(cluster.delayed.size().messages).toBe(2);
    expect(await node.remove(deleted?.id ?? '')).toBe(true);
    expect(await node.remove(deleted?.id ?? '')).toBe(false);
    await cluster.seconds(20);
    expect(cluster.came).toEqual(['03:04:38 kept']);
  });

  it('wait while there is no room, or delayed publish is switched off', async () => {
    const cluster = new Nodes();
    cluster.bounds = { messagesMax: 0, bytesMax: 0 };
    const node = cluster.start();
    await node.add(messageOf({ topic: 't' }), { atMs: START });
    await cluster.seconds(2);
    cluster.bounds = undefined;
    await cluster.seconds(2);
    expect(cluster.came).toEqual([]);
    cluster.bounds = { messagesMax: 1, bytesMax: 1_000 };
    await until(async () => {
      await cluster.second();
      return cluster.came.length > 0;
    }, 20_000);
    expect(cluster.came).toHaveLength(1);
  });
});
