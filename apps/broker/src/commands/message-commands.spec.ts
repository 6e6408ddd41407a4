import { describe, expect, it } from '@jest/globals';
import {
  PublishError,
  StoreUnavailableError,
  type AdminPublication,
  type AdminRequest,
  type AdminResponse,
  type InjectedMessage,
  type NodeAdmin,
} from '#libs/broker-ports';
import { messageOf } from '#libs/testkit';
import { LocalDelayedStore, LocalRetainedStore } from '#libs/store-local';
import { MessageCommands } from './message-commands.ts';

const identity = { source: { nodeId: 'n1', incarnation: 7 }, sequence: 9 };
const bounds = { secondsMax: 60, messagesMax: 5, bytesMax: 1_000_000 };
const plain = { topic: 't', payload: '', qos: 0, retain: false } as const;

class FakeAdmin implements Pick<NodeAdmin, 'publish' | 'request' | 'identify'> {
  readonly published: InjectedMessage[] = [];
  outcome: AdminPublication = { kind: 'taken', matched: 2, identity };
  asked: AdminRequest | undefined;
  answer: AdminResponse | undefined;

  publish(message: InjectedMessage): Promise<AdminPublication> {
    this.published.push(message);
    return Promise.resolve(this.outcome);
  }

  request(request: AdminRequest) {
    this.asked = request;
    const { answer } = this;
    let cancel: () => void = () => undefined;
    const outcome = new Promise<AdminResponse>((resolve) => {
      cancel = () => resolve({ kind: 'no-response' });
      if (answer !== undefined) resolve(answer);
    });
    return { outcome, cancel };
  }

  identify(message: InjectedMessage) {
    const { topic, payload, qos, retain } = message;
    return messageOf({ ...identity, topic, payload, qos, retain });
  }
}

function setUp(delays: typeof bounds | undefined = bounds) {
  const admin = new FakeAdmin();
  const clock = (): number => 1_000;
  const retained = new LocalRetainedStore({ clock });
  const delayed = new LocalDelayedStore({ clock });
  const commands = new MessageCommands({ admin, retained, delayed, delays, topicLevelsMax: 8 });
  return { admin, retained, delayed, commands };
}

describe('publish', () => {
  it('decodes what JSON cannot carry, and names the message', async () => {
    const { admin, commands } = setUp();
    const payload = Buffer.from([0, 255]).toString('base64');
    const properties = { correlationData: payload, userProperties: [['a', 'b']] as const };
    const message = { ...plain, payload, properties };

    expect(await commands.answer({ kind: 'publish', message })).toEqual({
      ...{ kind: 'taken', matched: 2, messageId: 'n1-7-9' },
    });
    const [published] = admin.published;
    expect([...(published?.payload ?? [])]).toEqual([0, 255]);
    expect([...(published?.properties?.correlationData ?? [])]).toEqual([0, 255]);
    expect(published?.properties).not.toHaveProperty('contentType');
  });

  it('passes on why it was refused, for each of many', async () => {
    const { admin, commands } = setUp();
    const publications = [{ message: plain }, { message: { ...plain, topic: 'u' } }];
    admin.outcome = { kind: 'refused', error: new PublishError('QUOTA_EXCEEDED', 'full') };
    const refused = { kind: 'refused', code: 'QUOTA_EXCEEDED' };

    expect(await commands.answer({ kind: 'publish', message: plain })).toEqual(refused);
    admin.outcome = { kind: 'not-connected' };
    expect(await commands.answer({ kind: 'publish-many', publications })).toEqual({
      outcomes: publications.map(() => ({ kind: 'refused', code: 'NOT_CONNECTED' })),
    });
    expect(admin.published.map(({ topic }) => topic)).toEqual(['t', 't', 'u']);
  });
});

describe('a request', () => {
  const request = { kind: 'request', message: plain, timeoutMs: 60_000 } as const;

  it('gives the answer, and asks for data that nobody can guess', async () => {
    const { admin, commands } = setUp();
    const response = { ...messageOf({ topic: 'r', publisher: 'd' }), payload: Buffer.from('on') };
    admin.answer = { kind: 'answered', identity, response };

    expect(await commands.answer(request)).toMatchObject({
      kind: 'answered',
      messageId: 'n1-7-9',
      response: { topic: 'r', publisher: 'd', payload: Buffer.from('on').toString('base64') },
    });
    expect(admin.asked?.token).toMatch(/^[\w-]{24}$/);
    expect(admin.asked?.correlationData).toHaveLength(18);
  });

  it('ends when its time is over', async () => {
    const { commands } = setUp();

    expect(await commands.answer({ ...request, timeoutMs: 1 })).toEqual({ kind: 'no-response' });
  });
});

describe('retained messages', () => {
  it('end a page with payloads before it grows too large', async () => {
    const { retained, commands } = setUp();
    const payload = new Uint8Array(3 * 1024 * 1024);
    await retained.store(['a', 'b'].map((topic) => ({ ...messageOf(), topic, payload })));
    const query = { filter: '#', limit: 10 };

    const full = await commands.answer({ kind: 'retained', query: { ...query, payload: true } });
    const bare = await commands.answer({ kind: 'retained', query: { ...query, payload: false } });

    expect(full).toMatchObject({ items: [{ topic: 'a' }], hasMore: true });
    expect(bare).toMatchObject({ items: [{ topic: 'a' }, { topic: 'b' }], hasMore: false });
  });

  it('are cleared by topic, once, and by filter, piece by piece', async () => {
    const { retained, commands } = setUp();
    const topics = ['a', 'b/1', 'b/2', 'b/3'];
    await retained.store(topics.map((topic) => messageOf({ topic })));
    const matching = { kind: 'clear-retained-matching', filter: 'b/+', limit: 2 } as const;

    const dry = await commands.answer({ ...matching, dryRun: true });
    expect(dry).toEqual({ topics: ['b/1', 'b/2'], hasMore: true });
    expect(retained.size().messages).toBe(4);
    expect(await commands.answer({ ...matching, dryRun: false })).toEqual(dry);
    const rest = await commands.answer({ ...matching, dryRun: false, after: 'b/2' });
    expect(rest).toEqual({ topics: ['b/3'], hasMore: false });
    expect(await commands.answer({ kind: 'clear-retained', topic: 'a' })).toEqual({ found: true });
    expect(await commands.answer({ kind: 'clear-retained', topic: 'a' })).toEqual({ found: false });
    expect(retained.size().messages).toBe(0);
  });

  it('are not known while the store is away', async () => {
    const { retained, commands } = setUp();
    retained.list = () => Promise.reject(new StoreUnavailableError('away'));
    const query = { filter: '#', limit: 10, payload: false };

    await expect(commands.answer({ kind: 'retained', query })).rejects.toThrow('away');
  });
});

describe('delayed messages', () => {
  it('are stored, listed by filter and time, shown and cancelled', async () => {
    const { delayed, commands } = setUp();
    for (const [topic, delayMs] of Object.entries({ 'a/1': 3_000, b: 2_000, 'a/2': 1_000 })) {
      const message = { ...plain, topic };
      const stored = await commands.answer({ kind: 'delay', message, delayMs });
      expect(stored).toMatchObject({
        kind: 'stored',
        message: { topic, dueAtMs: 1_000 + delayMs },
      });
    }
    const list = (query: object) =>
      commands.answer({ kind: 'delayed', query: { limit: 10, payload: false, ...query } });

    expect(await list({})).toMatchObject({
      items: [{ topic: 'a/2' }, { topic: 'b' }, { topic: 'a/1' }],
    });
    expect(await list({ filter: 'a/#' })).toMatchObject({
      items: [{ topic: 'a/2' }, { topic: 'a/1' }],
    });
    const soon = await list({ dueBeforeMs: 3_000 });
    expect(soon).toMatchObject({ items: [{ topic: 'a/2' }, { topic: 'b' }] });
    const first = await list({ filter: 'a/#', limit: 1 });
    expect(first).toMatchObject({ items: [{ topic: 'a/2' }] });
    const { next } = first as { next: { dueAtMs: number; id: string } };
    const second = await list({ filter: 'a/#', limit: 1, after: next });
    expect(second).toMatchObject({ items: [{ topic: 'a/1' }] });

    const shown = { kind: 'delayed-message', id: '2', payload: false } as const;
    expect(await commands.answer(shown)).toMatchObject({ message: { topic: 'b' } });
    expect(await commands.answer({ kind: 'cancel-delayed', id: '2' })).toEqual({ found: true });
    expect(await commands.answer(shown)).toEqual({ message: undefined });
    expect(delayed.size().messages).toBe(2);
  });

  it.each([
    [{ topic: 't' }, 61_000, 'invalid'],
    [{ topic: '$SYS/x' }, 1_000, 'invalid'],
    [{ topic: '$delayed/5/t' }, 1_000, 'invalid'],
    [{ topic: '1/2/3/4/5/6/7/8/9' }, 1_000, 'invalid'],
  ])('are refused: %j after %d ms', async (message, delayMs, kind) => {
    const { commands, delayed } = setUp();
    const command = { kind: 'delay', message: { ...plain, ...message }, delayMs } as const;

    expect(await commands.answer(command)).toMatchObject({ kind });
    expect(delayed.size().messages).toBe(0);
  });

  it('are refused when there is no room, or they are switched off', async () => {
    const command = { kind: 'delay', message: plain, delayMs: 1_000 } as const;
    const full = setUp({ ...bounds, messagesMax: 0 });
    expect(await full.commands.answer(command)).toEqual({ kind: 'full' });
    const { admin, retained, delayed } = full;
    const off = { admin, retained, delayed, delays: undefined, topicLevelsMax: 8 };
    expect(await new MessageCommands(off).answer(command)).toEqual({ kind: 'disabled' });
  });
});
