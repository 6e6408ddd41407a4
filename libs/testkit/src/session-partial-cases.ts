import { expect, it } from '@jest/globals';
import type { SessionOperation, SessionRecord, SessionStore } from '#libs/broker-ports';
import { queuedOf } from './messages.ts';
import { taken } from './session-fixtures.ts';
import type { StoreUnderTest } from './store-under-test.ts';

const SOUND = ['one', 'three'];

/** @internal */
export function sessionPartialCases(current: () => StoreUnderTest<SessionStore>): void {
  const records = async (): Promise<SessionRecord[]> => {
    const { store, spoil } = current();
    if (spoil === undefined) throw new Error('the store cannot fail in part');
    const made: SessionRecord[] = [];
    for (const clientId of ['one', 'two', 'three']) made.push(await taken(store, { clientId }));
    await spoil('two');
    return made;
  };

  it('fails the operations of a session that it cannot serve, and those of no other', async () => {
    const made = await records();
    const { store } = current();
    const operations = made.flatMap((record) => [appendTo(record, 1), appendTo(record, 2, true)]);
    expect(await store.write(operations)).toEqual([
      ...['done', 'done'],
      ...['failed', 'failed'],
      ...['done', 'done'],
    ]);
    for (const clientId of SOUND) {
      expect(await store.read(clientId, undefined, 10)).toHaveLength(2);
    }
  });

  it('tells what is fenced and what is repeated beside what fails', async () => {
    const [one, two, three] = await records();
    if (one === undefined || two === undefined || three === undefined) throw new Error('none');
    const { store } = current();
    await store.write([appendTo(one, 1, true)]);
    const again = { ...appendTo(one, 2, true), queued: queuedAt(one, 2, 1) };
    const late = { ...three, epoch: three.epoch - 1 };
    const operations = [appendTo(two, 1), again, appendTo(late, 1), appendTo(three, 1)];
    expect(await store.write(operations)).toEqual(['failed', 'repeat', 'fenced', 'done']);
  });

  it('rejects when there is nothing that it can serve', async () => {
    const [, two] = await records();
    if (two === undefined) throw new Error('none');
    const { store } = current();
    await expect(store.write([appendTo(two, 1)])).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
  });
}

function queuedAt({ epoch }: SessionRecord, sequence: number, identity = sequence) {
  return { ...queuedOf({ epoch, sequence }, { sequence: identity, qos: 2 }), qos: 2 as const };
}

function appendTo(record: SessionRecord, sequence: number, once = false): SessionOperation {
  const { clientId, epoch } = record;
  return { kind: 'append', clientId, epoch, queued: queuedAt(record, sequence), once };
}
