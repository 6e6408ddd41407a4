import { beforeEach, expect, it } from '@jest/globals';
import type { Message, PublishError, RetainedStore } from '#libs/broker-ports';
import { LocalRetainedStore } from '#libs/store-local';
import { countingMeter, messageOf, quiet, silentLog, WIDE_LIMITS } from '#libs/testkit';
import { RetainedWriter } from './retained-writer.ts';
import { Turn } from './turn.ts';

let store: LocalRetainedStore;
let writer: RetainedWriter;
let answers: Record<string, string>;

function writerTo(target: RetainedStore, retainedMessagesMax: number): RetainedWriter {
  const turn = new Turn((run) => void setImmediate(run));
  const limits = { ...WIDE_LIMITS, retainedMessagesMax };
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
