import { afterEach, describe, expect, it } from '@jest/globals';
import {
  PublishError,
  type Bridge,
  type HubClient,
  type HubHandler,
  type Message,
  type PublishDone,
} from '#libs/broker-ports';
import { messageOf, quiet, RecordingLog } from '#libs/testkit';
import { AedesHub, type AedesHooks } from './aedes-hub.ts';

const CLIENT: HubClient = {
  clientId: 'client',
  username: 'user',
  listener: 'tcp',
  remoteAddress: '192.0.2.1',
};

/** A core that keeps what it is asked for; each obligation ends when the test says so. */
class RecordingCore implements HubHandler {
  readonly lines: string[] = [];
  readonly open: PublishDone[] = [];
  isPatient = false;

  route(message: Message, done: PublishDone): void {
    this.#begin(`route ${textOf(message)}`, done);
  }

  retain(message: Message, done: PublishDone): void {
    this.#begin(`retain ${textOf(message)}`, done);
  }

  identify(message: Parameters<HubHandler['identify']>[0]): Message {
    const { properties, ...rest } = message;
    const partial = { ...rest, publisher: '', origin: 'system' } as const;
    return messageOf(properties === undefined ? partial : { ...partial, properties });
  }

  #begin(line: string, done: PublishDone): void {
    this.lines.push(line);
    if (this.isPatient) this.open.push(done);
    else done();
  }
}

let hub: AedesHub | undefined;
afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

async function opened(hooks?: AedesHooks): Promise<{ hub: AedesHub; core: RecordingCore }> {
  const made = await AedesHub.open({ id: 'n1', log: new RecordingLog(), ...(hooks && { hooks }) });
  hub = made;
  const core = new RecordingCore();
  made.attach(core);
  return { hub: made, core };
}

function textOf({ payload }: Message): string {
  return Buffer.from(payload).toString();
}

function message(text: string, partial: Partial<Message> = {}): Message {
  return messageOf({ topic: 't', payload: Buffer.from(text), ...partial });
}

function bridgeThat(offer: Bridge['offer'], idle = false): Bridge {
  return {
    idle,
    offer,
    apply: () => undefined,
    ruleFault: () => undefined,
    tryRule: () => ({ kind: 'unmatched', by: 'filter' }),
    status: () => [],
    connectors: () => [],
    metrics: () => [],
    resetMetrics: () => undefined,
    restart: () => 'absent',
    replay: () => 'idle',
    test: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

describe('obligations', () => {
  it('begin at once and in the order of the messages, retained or not', async () => {
    const { hub: own, core } = await opened();
    core.isPatient = true;
    const done: string[] = [];
    own.publish(message('one', { retain: true }), CLIENT, () => done.push('one'));
    own.publish(message('two'), CLIENT, () => done.push('two'));
    expect(core.lines).toEqual(['retain one', 'route one', 'route two']);
    core.open[2]?.();
    core.open[1]?.();
    expect(done).toEqual(['two']);
    core.open[0]?.();
    expect(done).toEqual(['two', 'one']);
  });

  it('are done once, with the first failure', async () => {
    const { hub: own, core } = await opened();
    core.isPatient = true;
    const first = new PublishError('STORE_UNAVAILABLE', 'first');
    own.connectBridge(
      bridgeThat((_, done) => done(new PublishError('BRIDGE_UNAVAILABLE', 'late'))),
    );
    const results: unknown[] = [];
    core.route = (_, done) => done(first);
    own.publish(message('x', { retain: true }), CLIENT, (error) => results.push(error));
    expect(results).toEqual([]);
    core.open[0]?.(new PublishError('QUOTA_EXCEEDED', 'last'));
    expect(results).toEqual([first]);
  });

  it('of QoS 0 are awaited by nobody', async () => {
    const { hub: own, core } = await opened();
    core.isPatient = true;
    const offered: string[] = [];
    own.connectBridge(bridgeThat((offer) => offered.push(textOf(offer))));
    const results: unknown[] = [];
    own.publish(message('x', { qos: 0 }), CLIENT, (error) => results.push(error));
    expect([core.lines, offered, results]).toEqual([['route x'], ['x'], [undefined]]);
  });
});

it('an idle bridge is offered nothing', async () => {
  const { hub: own } = await opened();
  const offered: string[] = [];
  own.connectBridge(bridgeThat((offer) => offered.push(textOf(offer)), true));
  const results: unknown[] = [];
  for (const qos of [0, 1] as const) {
    own.publish(message('x', { qos }), CLIENT, (error) => results.push(error));
  }
  own.publish(message('x', { retain: true }), CLIENT, (error) => results.push(error));
  expect([offered, results]).toEqual([[], [undefined, undefined, undefined]]);
});

describe('hooks', () => {
  it('authenticate, deny and fail', async () => {
    const seen: unknown[] = [];
    const { hub: own } = await opened({
      authenticate: (...[client, username, password, done]) => {
        seen.push([client.id, username, password?.toString()]);
        if (username === 'broken') return done(new Error('no answer') as never, null);
        if (username === 'coded') {
          return done(Object.assign(new Error('bad'), { returnCode: 4 }) as never, null);
        }
        done(null, username === 'user');
      },
    });
    const verdicts: string[] = [];
    for (const username of ['user', 'other', 'coded', 'broken']) {
      own.authenticate({ ...CLIENT, username }, Buffer.from('secret'), (verdict) =>
        verdicts.push(verdict),
      );
    }
    expect(verdicts).toEqual(['allowed', 'denied', 'denied', 'error']);
    expect(seen[0]).toEqual(['client', 'user', 'secret']);
  });

  it('refuse a publish, which then reaches nobody', async () => {
    const { hub: own, core } = await opened({
      authorizePublish: (client, packet, done) =>
        done(packet.topic === 'secret' ? new Error(`not you, ${client?.id ?? ''}`) : null),
    });
    const results: unknown[] = [];
    const tell: PublishDone = (error) => results.push(error?.code);
    own.publish(message('x', { topic: 'secret' }), CLIENT, tell);
    own.publish(message('y'), CLIENT, tell);
    own.publish(message('z', { topic: 'secret' }), undefined, tell);
    expect(results).toEqual(['NOT_AUTHORIZED', undefined, undefined]);
    expect(core.lines).toEqual(['route y', 'route z']);
  });

  it.each([
    ['without a hook', undefined],
    ['whatever a hook says', { authorizePublish: (_client, _packet, done) => done(null) }],
  ] as const satisfies readonly (readonly [string, AedesHooks | undefined])[])(
    'keep clients from $SYS topics %s',
    async (_name, hooks) => {
      const { hub: own, core } = await opened(hooks);
      const results: unknown[] = [];
      const tell: PublishDone = (error) => results.push(error?.code);
      own.publish(message('x', { topic: '$SYS/x' }), CLIENT, tell);
      own.authorizePublish(message('x', { topic: '$SYS/x' }), CLIENT, tell);
      expect([results, core.lines]).toEqual([['NOT_AUTHORIZED', 'NOT_AUTHORIZED'], []]);
    },
  );

  it('refuse a subscription or lower its QoS, and never raise it', async () => {
    const { hub: own } = await opened({
      authorizeSubscribe: (_client, { topic }, done) => {
        if (topic === 'error') return done(new Error('no'));
        if (topic === 'null') return done(null, null);
        done(null, { topic, qos: topic === 'lower' ? 0 : 2 });
      },
    });
    const granted: unknown[] = [];
    for (const filter of ['error', 'null', 'lower', 'same']) {
      own.authorizeSubscribe(CLIENT, { filter, qos: 1 }, (qos) => granted.push(qos));
    }
    expect(granted).toEqual([undefined, undefined, 0, 1]);
  });

  it('see what was published, before it is acknowledged', async () => {
    const seen: string[] = [];
    let finish = (): void => undefined;
    const { hub: own } = await opened({
      published: (packet, client, done) => {
        seen.push(`${packet.topic} of ${client.id}`);
        finish = done;
      },
    });
    const results: unknown[] = [];
    own.publish(message('x'), CLIENT, (error) => results.push(error));
    expect([seen, results]).toEqual([['t of client'], []]);
    finish();
    expect(results).toStrictEqual([undefined]);
  });
});

describe('plugins', () => {
  it('publish through the pipeline, and may leave out what aedes fills in', async () => {
    const { hub: own, core } = await opened();
    const published: Message[] = [];
    core.route = (routed, done) => {
      published.push(routed);
      done();
    };
    await new Promise<void>((resolve, reject) => {
      const packet = { topic: 'plugin', payload: 'text' };
      own.aedes.publish(packet as never, (error) => (error ? reject(error) : resolve()));
    });
    own.aedes.publish({ topic: 'empty' } as never, () => undefined);
    await quiet();
    expect(published).toMatchObject([
      { topic: 'plugin', qos: 0, retain: false, origin: 'system' },
      { topic: 'empty', qos: 0, retain: false },
    ]);
    expect(published.map(textOf)).toEqual(['text', '']);
  });

  it('subscribe by filter until they unsubscribe', async () => {
    const { hub: own } = await opened();
    const seen: string[] = [];
    const listener = (packet: { topic: string }, done: () => void): void => {
      seen.push(packet.topic);
      done();
    };
    const change = (verb: 'subscribe' | 'unsubscribe', filter: string) =>
      new Promise<void>((resolve) => {
        own.aedes[verb](filter, listener as never, resolve);
      });
    await change('subscribe', 'a/+');
    const publish = (topic: string) =>
      new Promise<void>((resolve) => {
        own.publish(message('x', { topic }), CLIENT, () => resolve());
      });
    await publish('a/b');
    await publish('b');
    // Taking away what is not there does not silence who is.
    await change('unsubscribe', '$SYS/+/new/clients');
    await publish('a/c');
    await change('unsubscribe', 'a/+');
    await publish('a/d');
    expect(seen).toEqual(['a/b', 'a/c']);
  });

  it('hear of clients and messages', async () => {
    const { hub: own } = await opened();
    const events: string[] = [];
    own.aedes.on('client', ({ id }) => events.push(`client ${id}`));
    own.aedes.on('clientDisconnect', ({ id }) => events.push(`gone ${id}`));
    own.aedes.on('publish', ({ topic }, client) =>
      events.push(`publish ${topic} of ${client?.id ?? 'the broker'}`),
    );
    own.register(CLIENT);
    own.publish(message('x'), CLIENT, () => undefined);
    own.publish(message('y'), undefined, () => undefined);
    own.unregister(CLIENT);
    own.unregister(CLIENT);
    expect(events).toEqual([
      'client client',
      'publish t of client',
      'publish t of the broker',
      'gone client',
    ]);
  });

  it.each(['__proto__', 'constructor', 'toString'])(
    'find a client that calls itself %s, and the others',
    async (clientId) => {
      const { hub: own } = await opened();
      const { clients } = own.aedes as unknown as { clients: Record<string, { id: string }> };
      const idsOf = () => [Object.keys(clients), clients[clientId]?.id, clients['client']?.id];
      const odd = { ...CLIENT, clientId };
      const gone: string[] = [];
      own.aedes.on('clientDisconnect', ({ id }) => gone.push(id));
      own.register(CLIENT);
      own.register(odd);
      expect(idsOf()).toEqual([['client', clientId], clientId, 'client']);
      const publishers: unknown[] = [];
      own.aedes.on('publish', (_packet, client) => publishers.push(client?.id));
      own.publish(message('x'), odd, () => undefined);
      expect(publishers).toEqual([clientId]);
      own.unregister(odd);
      expect(idsOf()).toEqual([['client'], undefined, 'client']);
      expect(gone).toEqual([clientId]);
    },
  );
});
