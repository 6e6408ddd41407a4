import { describe, expect, it } from '@jest/globals';
import { exposeSession, type SessionFigures } from './session-page.ts';

const SESSION: SessionFigures = {
  ...{ clientId: 'press "7"\n', state: 'connected', createdAtMs: 1_500, subscriptionCount: 2 },
  ...{ queueMessages: 3, queueBytes: 400, inflightMessages: 5, unsentBytes: 6 },
  deliveryDelayMs: 70,
};

async function figures(session: SessionFigures): Promise<Record<string, number>> {
  const { body } = await exposeSession(session);
  const samples = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const label = '{client_id="press \\"7\\"\\n"}';
  return Object.fromEntries(
    samples.map((line) => {
      expect(line).toContain(label);
      const [name = '', value] = line.split(label);
      return [name.replace('skein_broker_session_', ''), Number(value)];
    }),
  );
}

describe('a session in figures', () => {
  it('has what there is to tell', async () => {
    expect(await figures(SESSION)).toEqual({
      ...{ connected: 1, created_timestamp_seconds: 1.5, subscriptions: 2, queue_messages: 3 },
      ...{ queue_bytes: 400, inflight_messages: 5, unsent_bytes: 6, delivery_delay_seconds: 0.07 },
    });
  });

  it('leaves out what is not known', async () => {
    const away = await figures({ ...SESSION, state: 'disconnected', deliveryDelayMs: undefined });

    expect(away).toMatchObject({ connected: 0 });
    expect(away).not.toHaveProperty('delivery_delay_seconds');
  });
});
