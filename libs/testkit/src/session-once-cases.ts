import { describe, expect, it } from '@jest/globals';
import {
  REMEMBERED_MESSAGES,
  type Message,
  type SessionOperation,
  type SessionRecord,
  type SessionStore,
} from '#libs/broker-ports';
import { queuedOf } from './messages.ts';
import {
  CLIENT,
  disconnectOf,
  NODE_A,
  NODE_A_LATER,
  NODE_B,
  NOW_MS,
  taken,
} from './session-fixtures.ts';
import type { StoreUnderTest } from './store-under-test.ts';

/** For tens of thousands of messages, on a machine that has other work too. */
const LONG_MS = 60_000;

type Current = () => StoreUnderTest<SessionStore>;

/** An append at a position of the message with a sequence, to be queued once. */
function onceOf(
  { clientId, epoch }: SessionRecord,
  at: number,
  message: Partial<Message>,
): SessionOperation {
  const queued = queuedOf({ epoch, sequence: at }, message);
  return { clientId, epoch, kind: 'append', queued, once: true };
}

/** @internal */
export function sessionOnceCases(current: Current): void {
  describe('a message that is queued once', () => {
    it('is a repeat when it comes again, also in the same turn', async () => {
      const { store } = current();
      const record = await taken(store);
      const again = (at: number): SessionOperation => onceOf(record, at, { sequence: 70 });
      expect(await store.write([again(1), again(2)])).toEqual(['done', 'repeat']);
      expect(await store.write([onceOf(record, 3, { sequence: 71 }), again(4)])).toEqual([
        'done',
        'repeat',
      ]);
      const queue = await store.read(CLIENT, undefined, 10);
      expect(queue.map(({ position }) => position.sequence)).toEqual([1, 3]);
    });

    it('is a repeat after it was acknowledged, and for the next owner', async () => {
      const { store } = current();
      const first = await taken(store);
      const { epoch } = first;
      const position = { epoch, sequence: 1 };
      await store.write([
        onceOf(first, 1, { sequence: 70 }),
        { clientId: CLIENT, epoch, kind: 'release', position, packetId: 1 },
        { clientId: CLIENT, epoch, kind: 'complete', packetId: 1 },
        disconnectOf(first, NOW_MS, 3600),
      ]);
      const next = await taken(store, { node: NODE_B, replacesEpoch: epoch });
      expect(await store.write([onceOf(next, 2, { sequence: 70 })])).toEqual(['repeat']);
      expect(await store.read(CLIENT, undefined, 10)).toEqual([]);
    });

    it('is told from others by its node, its incarnation and its sequence', async () => {
      const { store } = current();
      const record = await taken(store);
      const others = [NODE_A, NODE_B, NODE_A_LATER].map((source, index) =>
        onceOf(record, index + 1, { source, sequence: 7 }),
      );
      expect(await store.write(others)).toEqual(['done', 'done', 'done']);
      expect(await store.write([onceOf(record, 4, { sequence: 77 })])).toEqual(['done']);
    });

    it('is not compared with what may come twice', async () => {
      const { store } = current();
      const record = await taken(store);
      const plain = (at: number): SessionOperation => ({
        ...onceOf(record, at, { sequence: 7 }),
        ...{
          kind: 'append',
          once: false,
          queued: queuedOf({ epoch: record.epoch, sequence: at }, { sequence: 7 }),
        },
      });
      const operations = [plain(1), onceOf(record, 2, { sequence: 7 }), plain(3)];
      expect(await store.write(operations)).toEqual(['done', 'done', 'done']);
    });

    it('is known by another session only if that has had it, and by none that begins anew', async () => {
      const { store } = current();
      const record = await taken(store);
      const other = await taken(store, { clientId: 'other' });
      const both = [record, other].map((one) => onceOf(one, 1, { sequence: 7 }));
      expect(await store.write(both)).toEqual(['done', 'done']);
      const clean = await taken(store, { cleanStart: true });
      expect(await store.write([onceOf(clean, 1, { sequence: 7 })])).toEqual(['done']);
    });

    it(
      'is remembered for as many messages as promised',
      async () => {
        const { store } = current();
        const record = await taken(store);
        const write = async (from: number, count: number): Promise<void> => {
          const operations: SessionOperation[] = [];
          for (let at = from; at < from + count; at += 1) {
            operations.push(onceOf(record, at, { sequence: at }));
          }
          const { epoch } = record;
          const positions = operations.map((_, index) => ({ epoch, sequence: from + index }));
          await store.write([
            ...operations,
            { clientId: CLIENT, epoch, kind: 'settle', positions },
          ]);
        };
        await write(1, REMEMBERED_MESSAGES);
        await write(REMEMBERED_MESSAGES + 1, REMEMBERED_MESSAGES - 1);
        const at = 4 * REMEMBERED_MESSAGES;
        const again = (sequence: number): SessionOperation => onceOf(record, at, { sequence });
        const known = await store.write([
          again(REMEMBERED_MESSAGES),
          again(2 * REMEMBERED_MESSAGES - 1),
        ]);
        expect(known).toEqual(['repeat', 'repeat']);
      },
      LONG_MS,
    );
  });
}
