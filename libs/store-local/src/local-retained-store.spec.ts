import { describe, expect, it } from '@jest/globals';
import { sizeOf } from '#libs/mqtt-codec';
import { fakeClock, messageOf } from '#libs/testkit';
import { LocalRetainedStore } from './local-retained-store.ts';

describe('LocalRetainedStore', () => {
  it('gives up expired messages nobody asks for, while others are stored', async () => {
    const clock = fakeClock();
    const store = new LocalRetainedStore({ clock: clock.now });
    const expiresAtMs = clock.now() + 1000;
    const retained = (topic: string, expiry = 0) =>
      messageOf({ topic, retain: true, expiresAtMs: expiry });
    await store.store(
      Array.from({ length: 100 }, (_, index) => retained(`short/${String(index)}`, expiresAtMs)),
    );
    clock.advance(1000);
    for (let round = 0; round < 200; round += 1) await store.store([retained('long')]);
    expect(store.size()).toEqual({ messages: 1, bytes: sizeOf(retained('long')) });
  });
});
