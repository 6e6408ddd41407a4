import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import type { AuthStep, Authenticator } from '#libs/access';
import { REASON, type Packet } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryNode, publishPacket, quiet } from '#libs/testkit';

const METHOD = 'FUZZ';
const TIMEOUT_MS = 1000;

type Act =
  | { readonly kind: 'connect'; readonly data: string; readonly method: string | undefined }
  | {
      readonly kind: 'auth';
      readonly code: 0 | 0x18 | 0x19;
      readonly data: string;
      readonly method: string | undefined;
    }
  | { readonly kind: 'ping' | 'publish' | 'disconnect' | 'wait' | 'late' };

/** A method in which the client says what is to happen. */
const authenticator: Authenticator = {
  login: () => Promise.resolve({ kind: 'allowed', backend: 'password', identity: { user: 'ann' } }),
  exchange: (method) => (method === METHOD ? { backend: 'scram', step: stepOf } : undefined),
};

function stepOf(data: Uint8Array | undefined): Promise<AuthStep> {
  const text = Buffer.from(data ?? []).toString();
  if (text === 'fail') return Promise.reject(new Error('told to fail'));
  if (text === 'deny') return Promise.resolve({ kind: 'denied', detail: 'told to deny' });
  if (text === 'more') return Promise.resolve({ kind: 'continue' });
  return Promise.resolve({ kind: 'allowed', identity: { user: text }, data: Buffer.from('proof') });
}

const data = fc.constantFrom('ann', 'ann', 'bob', 'more', 'more', 'deny', 'fail');
const method = fc.constantFrom(METHOD, METHOD, METHOD, METHOD, 'OTHER', undefined);
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('connect' as const), data, method }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('auth' as const),
      code: fc.constantFrom(0x18, 0x18, 0x19, 0x19, 0),
      data,
      method,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('ping', 'publish', 'disconnect', 'wait', 'wait', 'wait', 'late'),
    }),
  },
);

function propertiesOf({ method: name, data: text }: { method: string | undefined; data: string }) {
  if (name === undefined) return {};
  return { properties: { authenticationMethod: name, authenticationData: Buffer.from(text) } };
}

/** What a client may never see, whatever it sends. */
function check(sent: readonly Packet[], asked: string | undefined): void {
  const connacks = sent.filter(({ kind }) => kind === 'connack');
  if (connacks.length > 1) throw new Error('two CONNACK');
  let isConnected = false;
  for (const packet of sent) {
    if (packet.kind === 'connack') {
      isConnected = packet.reasonCode === REASON.success;
      const told = packet.properties?.authenticationMethod;
      if (told !== (isConnected ? asked : undefined))
        throw new Error(`CONNACK tells ${String(told)}`);
    } else if (packet.kind === 'auth') {
      if (asked !== METHOD) throw new Error('AUTH without a method [MQTT-4.12.0-6]');
      if (packet.reasonCode === REASON.success && !isConnected)
        throw new Error('AUTH 0x00 too early');
      if (packet.properties?.authenticationMethod !== METHOD) throw new Error('AUTH of no method');
    } else if (!isConnected) {
      throw new Error(`${packet.kind} before CONNACK`);
    }
  }
}

describe('a connection', () => {
  it('keeps the rules of AUTH under any packets, and proves one user at most', async () => {
    const clock = (): number => 0;
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 14 }), async (acts) => {
        const memory = new MemoryNode({
          sessions: new LocalSessionStore({ clock }),
          retained: new LocalRetainedStore({ clock }),
          limits: { connectTimeoutMs: TIMEOUT_MS },
          authenticator,
        });
        const users = new Set<string | undefined>();
        memory.hub.authentication = ({ username }) => {
          users.add(username);
          return 'allowed';
        };
        const client = memory.client();
        const first = acts.find(({ kind }) => kind === 'connect');
        const asked = first?.kind === 'connect' ? first.method : undefined;
        const sent: Packet[] = [];
        for (const each of acts) {
          switch (each.kind) {
            case 'connect':
              client.write(client.connectPacket(propertiesOf(each)));
              break;
            case 'auth':
              client.write({ kind: 'auth', reasonCode: each.code, ...propertiesOf(each) });
              break;
            case 'ping':
              client.write({ kind: 'pingreq' });
              break;
            case 'publish':
              client.write(publishPacket('t', 'x', { qos: 1, packetId: 1 }));
              break;
            case 'disconnect':
              client.write({ kind: 'disconnect', reasonCode: 0 });
              break;
            case 'wait':
              await quiet();
              break;
            case 'late':
              memory.sweepAfter(TIMEOUT_MS + 1);
          }
          sent.push(...client.take());
        }
        await quiet();
        sent.push(...client.take());
        check(sent, asked);
        if (users.size > 1) throw new Error(`${[...users].join(' and ')} on one connection`);
        const isConnected = memory.node.admin.status().connections === 1;
        if (client.isEnded && isConnected) throw new Error('a closed connection is still counted');
      }),
      { numRuns: 500 },
    );
  });
});
