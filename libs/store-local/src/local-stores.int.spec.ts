import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { messageOf } from '#libs/testkit';
import { openLocalStores } from './local-stores.ts';

const CLIENT = 'client';
const HOLDER = { clientId: CLIENT, createdAtMs: 1 };
const BOUNDS = { messagesMax: 10, bytesMax: 10_000 };

it('a file keeps what each store has put into it apart from what the others have', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'skein-stores-'));
  try {
    const message = messageOf({ qos: 2 });
    const delayed = { delayMs: 0, message };
    const stores = await openLocalStores({ dir, clock: Date.now });
    const taken = await stores.sessions.take({
      clientId: CLIENT,
      node: { nodeId: 'node', incarnation: 1 },
      nowMs: Date.now(),
      cleanStart: true,
      durable: true,
      expiryIntervalSeconds: 60,
      connected: true,
    });
    if (taken.kind !== 'taken') throw new Error(taken.kind);
    const { epoch } = taken.record;
    const form = { message, qos: 2, retain: false, subscriptionIdentifiers: [] } as const;
    const append = (sequence: number) => {
      const queued = { ...form, position: { epoch, sequence } };
      return { clientId: CLIENT, epoch, kind: 'append', queued, once: true } as const;
    };
    await stores.sessions.write([append(1)]);
    await stores.exclusive.claim('filter', HOLDER);
    await stores.delayed.add([delayed], BOUNDS);
    await stores.retained.store([message]);
    await stores.close();

    const later = await openLocalStores({ dir, clock: Date.now });
    expect(await later.sessions.write([append(2)])).toEqual(['repeat']);
    expect(await later.exclusive.claim('filter', { ...HOLDER, createdAtMs: 2 })).toEqual(HOLDER);
    expect(await later.delayed.add([delayed], BOUNDS)).toEqual(['repeat']);
    expect(later.delayed.size().messages).toBe(1);
    expect(later.retained.size().messages).toBe(1);
    await later.close();
  } finally {
    await rm(dir, { recursive: true });
  }
});
