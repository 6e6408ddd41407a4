import type { Mechanism } from 'kafkajs';

const LENGTH_BYTES = 4;

/**
 * A login by token (RFC 7628).
 *
 * @remarks The client's own takes every answer for a yes: Kafka refuses a token with a challenge, and closes the connection
 * when the next request comes instead of the client's assent.
 */
export function tokenLogin(token: () => string): Mechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: async () => {
        const refusal = await saslAuthenticate({
          request: { encode: () => framed(`n,,\u0001auth=Bearer ${token()}\u0001\u0001`) },
          response: {
            decode: (answer) => answer.subarray(LENGTH_BYTES),
            parse: (challenge) => challenge.toString(),
          },
        });
        if (refusal) throw new Error(`SASL OAUTHBEARER authentication failed: ${refusal}`);
      },
    }),
  };
}

function framed(text: string): Buffer {
  const content = Buffer.from(text);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeInt32BE(content.length);
  return Buffer.concat([length, content]);
}
