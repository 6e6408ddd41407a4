import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Message, PublishError, RetainedStore } from '#libs/broker-ports';
import { LocalRetainedStore } from '#libs/store-local';
import { countingMeter, messageOf, quiet, silentLog, WIDE_LIMITS } from '#libs/testkit';
import { RetainedWriter } from './retained-writer.ts';
import { Turn } from './turn.ts';

let store: LocalRetainedStore;
let writer: RetainedWriter;
let answers: Record<string, string>;

function writerTo(
  target: RetainedStore,
  retainedMessagesMax: number,
  retainedBytesMax = 1_000,
): RetainedWriter {
  const turn = new Turn((run) => void setImmediate(run));
  const limits = { ...WIDE_LIMITS, retainedMessagesMax, retainedBytesMax };
  const parts = { turn, limits, meter: countingMeter().meter, log: silentLog };
  const made = new RetainedWriter(target, parts);
  turn.join(made);
  return made;
}

/** Retains a message of each topic, all in one turn. */
function add(...topics: readonly string[]): void {
  for (const topic of topics) {
    const done = (error?: PublishError): void => {
      answers[topic] = error?.code ?? 'taken';
    };
    writer.add(messageOf({ topic, retain: true }), done);
  }
}

beforeEach(() => {
  store = new LocalRetainedStore({ clock: () => 0 });
  writer = writerTo(store, 2);
  answers = {};
});

it('replaces retained messages when there is no room for another', async () => {
  add('a', 'b');
  await quiet();
  answers = {};
  add('a', 'c', 'b');
  await quiet();
  expect(answers).toEqual({ a: 'taken', b: 'taken', c: 'QUOTA_EXCEEDED' });
});

it('counts the new topics of the turn and of calls under way', async () => {
  add('a', 'a', 'b', 'c');
  await quiet();
  expect(answers).toEqual({ a: 'taken', b: 'taken', c: 'QUOTA_EXCEEDED' });
  expect(store.size().messages).toBe(2);
});

it('counts a topic once that the store counts before it confirms', async () => {
  let confirm: () => void = () => undefined;
  const confirmed = new Promise<void>((resolve) => (confirm = resolve));
  class SlowStore extends LocalRetainedStore {
    override async store(messages: readonly Message[]): Promise<void> {
      await super.store(messages);
      await confirmed;
    }
  }
  writer = writerTo(new SlowStore({ clock: () => 0 }), 2);
  add('a');
  await quiet();
  add('b', 'c');
  confirm();
  await quiet();
  expect(answers).toEqual({ a: 'taken', b: 'taken', c: 'QUOTA_EXCEEDED' });
});

it('has room again when the store has refused', async () => {
  class RefusingStore extends LocalRetainedStore {
    override store(): Promise<void> {
      return Promise.reject(new Error('away'));
    }
  }
  writer = writerTo(new RefusingStore({ clock: () => 0 }), 1);
  add('a');
  await quiet();
  add('b');
  await quiet();
  expect(answers).toEqual({ a: 'STORE_UNAVAILABLE', b: 'STORE_UNAVAILABLE' });
});

describe('the bytes of all messages', () => {
  /** Retains messages of so many bytes with their topic, each under a name and all in one turn. */
  function addBytes(
    ...messages: readonly (readonly [name: string, topic: string, bytes: number])[]
  ): void {
    for (const [name, topic, bytes] of messages) {
      const done = (error?: PublishError): void => {
        answers[name] = error?.code ?? 'taken';
      };
      writer.add(
        messageOf({ topic, retain: true, payload: new Uint8Array(bytes - topic.length) }),
        done,
      );
    }
  }

  beforeEach(() => {
    writer = writerTo(store, 10, 100);
  });

  it('are bounded, in one turn and over several', async () => {
    addBytes(['1', 'a', 60], ['2', 'b', 41], ['3', 'c', 40]);
    await quiet();
    addBytes(['4', 'd', 2]);
    await quiet();
    expect(answers).toEqual({ 1: 'taken', 2: 'QUOTA_EXCEEDED', 3: 'taken', 4: 'QUOTA_EXCEEDED' });
    expect(store.size()).toEqual({ messages: 2, bytes: 100 });
  });

  it('may be exchanged for as many or fewer, and there is room for what is saved', async () => {
    addBytes(['1', 'a', 60], ['2', 'b', 40]);
    await quiet();
    addBytes(['3', 'a', 60], ['4', 'a', 61], ['5', 'b', 10], ['6', 'c', 30], ['7', 'd', 2]);
    await quiet();
    expect(answers).toMatchObject({ 3: 'taken', 4: 'QUOTA_EXCEEDED', 5: 'taken' });
    expect(answers).toMatchObject({ 6: 'taken', 7: 'QUOTA_EXCEEDED' });
    expect(store.size()).toEqual({ messages: 3, bytes: 100 });
    addBytes(['8', 'a', 1]);
    await quiet();
    addBytes(['9', 'd', 60]);
    await quiet();
    expect(answers).toMatchObject({ 8: 'taken', 9: 'taken' });
  });

  it('are those of topics and properties as well', async () => {
    const long = messageOf({ topic: 'x'.repeat(50), retain: true, payload: Uint8Array.of(1) });
    const done = (name: string) => (error?: PublishError) =>
      (answers[name] = error?.code ?? 'taken');
    writer.add(long, done('1'));
    const userProperties = [['name', 'y'.repeat(50)]] as const;
    writer.add({ ...long, topic: 'p', properties: { userProperties } }, done('2'));
    await quiet();
    expect(answers).toEqual({ 1: 'taken', 2: 'QUOTA_EXCEEDED' });
  });
});
