import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { NodeScramCrypto } from '#libs/access-sources';
import { ScramClient } from '#libs/testkit';
import {
  ScramExchange,
  deriveScramCredential,
  saslprep,
  type AuthStep,
  type KnownUser,
} from './index.ts';

const mechanism = 'SCRAM-SHA-256';
const crypto = new NodeScramCrypto();
const salt = Buffer.alloc(16, 1);
const login = { user: 'user', password: 'pencil' };
const credential = await deriveScramCredential(crypto, login.password, {
  mechanism,
  salt,
  iterations: 4096,
});
const find = (user: string): Promise<KnownUser | undefined> =>
  Promise.resolve(
    user === login.user ? { credentials: [credential], identity: { user } } : undefined,
  );
const exchange = (): ScramExchange =>
  new ScramExchange(mechanism, { find }, { crypto, decoyOf: () => credential });

const dataOf = (step: AuthStep): Uint8Array =>
  (step.kind === 'continue' ? step.data : undefined) ?? Buffer.of();

/** Bytes, text, and what nearly is a message. */
const message = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(text)),
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          'n',
          'y',
          'p=',
          'a=',
          'n=',
          'r=',
          'c=',
          'm=',
          'biws',
          '=2C',
          '=3D',
          '=',
          '',
          'user',
          'AAAA',
        ),
        fc.string({ maxLength: 5 }),
      ),
      { maxLength: 12 },
    )
    .chain((parts) => fc.constantFrom(',', '').map((comma) => Buffer.from(parts.join(comma)))),
);

describe('an exchange', () => {
  it('answers any messages, in any order, and allows nobody by them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 4 }), async (messages) => {
        const under = exchange();
        for (const each of [Buffer.from('n,,n=user,r=abc'), ...messages]) {
          const step = await under.step(each);
          if (step.kind === 'allowed') throw new Error('nothing was proven');
          if (step.kind === 'denied') break;
        }
        const fresh = exchange();
        for (const each of messages) {
          const step = await fresh.step(each);
          if (step.kind === 'allowed') throw new Error('nothing was proven');
          if (step.kind === 'denied') break;
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('allows nobody by a proof of which a byte was changed', async () => {
    const change = fc.record({ at: fc.nat(200), to: fc.integer({ min: 0x20, max: 0x7e }) });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, to }) => {
        const under = exchange();
        const client = new ScramClient(mechanism, login);
        const final = client.final(dataOf(await under.step(client.first())));
        const index = at % final.length;
        const isSame = final[index] === to;
        final[index] = to;
        const step = await under.step(final);
        if ((step.kind === 'allowed') !== isSame)
          throw new Error(`${final.toString()}: ${step.kind}`);
      }),
      { numRuns: 200 },
    );
  });
});

describe('saslprep', () => {
  it('prepares what is prepared to itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = saslprep(text);
        if (once.kind === 'refused') return;
        const twice = saslprep(once.text);
        if (twice.kind === 'refused' || twice.text !== once.text) throw new Error('it has changed');
      }),
      { numRuns: 3000 },
    );
  });
});
