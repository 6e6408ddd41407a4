import { expect, it } from '@jest/globals';
import { REASON } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, fakeClock } from '#libs/testkit';

function newNode() {
  const clock = fakeClock();
  const source = { isAway: false };
  const memory = new MemoryNode({
    clock,
    sessions: new LocalSessionStore({ clock: clock.now }),
    retained: new LocalRetainedStore({ clock: clock.now }),
    authenticator: {
      login: async () =>
        source.isAway
          ? { kind: 'failed', backend: 'webhook', detail: 'away' }
          : { kind: 'allowed', backend: 'webhook', identity: { user: 'ann' } },
      exchange: () => undefined,
    },
  });
  const login = async (isAway: boolean): Promise<void> => {
    source.isAway = isAway;
    const { reasonCode } = await memory.client().connect({ clientId: 'c', username: 'ann' });
    expect(reasonCode).toBe(isAway ? REASON.serverUnavailable : REASON.success);
  };
  const told = () =>
    ['authentication-failed', 'authentication-works'].map((event) => memory.log.of(event).length);
  const timed = () => memory.counts.get('authenticationDuration');
  return { clock, login, told, timed };
}

it('times every login, however it ends', async () => {
  const { login, timed } = newNode();
  for (const isAway of [true, false, false]) await login(isAway);
  expect(timed()).toBe(3);
});

it('tells once that a source fails, and once that it works again', async () => {
  const { login, told } = newNode();
  for (const isAway of [true, true, false, false]) await login(isAway);
  expect(told()).toEqual([1, 1]);
});

it('tells once a minute of a source that fails every other time', async () => {
  const { clock, login, told } = newNode();
  for (let flips = 0; flips < 10; flips += 1) {
    await login(true);
    await login(false);
  }
  expect(told()).toEqual([1, 1]);
  clock.advance(60_000);
  await login(true);
  expect(told()).toEqual([2, 1]);
  await login(false);
  expect(told()).toEqual([2, 2]);
});
