import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import type { Attempted, WebhookRequest } from './post-office.ts';
import type { StoredDelivery, StoredWebhook } from './stored-webhook.ts';
import { ATTEMPTS_MAX, WebhookLane, type LaneItem } from './webhook-lane.ts';

const DEADLINE_MS = 20_000;
const WEBHOOK: StoredWebhook = {
  ...{ id: 'w', url: 'https://hooks.example/', description: '', events: [], enabled: true },
  ...{ batchEventsMax: 3, timeoutSeconds: 10, secret: '', createdAtMs: 0, createdBy: 'local' },
};

const eventOf = (node: string, number: number): LaneItem => ({
  node,
  position: { life: 1, number },
  event: { id: `${node}-${String(number)}` },
});

const eventsOf = (node: string, from: number, to: number): LaneItem[] =>
  Array.from({ length: to - from + 1 }, (_, index) => eventOf(node, from + index));

const lanes: WebhookLane[] = [];
afterEach(() => {
  for (const lane of lanes.splice(0)) lane.close();
});

function opened(answer: (request: WebhookRequest) => Promise<number> | number) {
  const sent: { readonly id: string; readonly events: string[] }[] = [];
  const kept: (StoredDelivery | undefined)[] = [];
  const recorded: StoredDelivery[] = [];
  const places: (readonly [string, number])[][] = [];
  const lane = new WebhookLane(
    {
      webhook: WEBHOOK,
      office: {
        send: async (request): Promise<Attempted> => {
          const { events } = JSON.parse(request.body) as { events: { id: string }[] };
          sent.push({ id: request.id, events: events.map(({ id }) => id) });
          const status = await answer(request);
          const isDelivered = status === 204;
          const detail = isDelivered ? '' : String(status);
          return { atMs: 1, status, detail, isDelivered, latencyMs: 2, retryAfterMs: undefined };
        },
      },
      now: () => 7,
      keep: async (positions, retrying) => {
        kept.push(retrying);
        places.push([...positions].map(([node, { number }]) => [node, number] as const));
      },
      record: async (delivery) => void recorded.push(delivery),
      firstPauseMs: 1,
    },
    [],
  );
  lanes.push(lane);
  const done = lane.run();
  return { lane, done, sent, kept, recorded, places };
}

describe('a lane', () => {
  it('sends events in their order, in requests of so many at most', async () => {
    const { lane, sent, recorded, places } = opened(() => 204);
    await Promise.all([lane.send(eventsOf('a', 1, 5)), lane.send(eventsOf('b', 1, 2))]);
    const events = sent.flatMap((each) => each.events);
    expect(events.filter((id) => id.startsWith('a'))).toEqual(['a-1', 'a-2', 'a-3', 'a-4', 'a-5']);
    expect(events.filter((id) => id.startsWith('b'))).toEqual(['b-1', 'b-2']);
    expect(sent.every((each) => each.events.length <= 3)).toBe(true);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(sent.length);
    expect(recorded.map(({ state }) => state)).toEqual(sent.map(() => 'delivered'));
    expect(new Map(places.at(-1))).toEqual(
      new Map([
        ['a', 5],
        ['b', 2],
      ]),
    );
  });

  it('repeats a request unchanged, and nothing overtakes it', async () => {
    const { lane, sent, kept, recorded } = opened(() => (sent.length < 3 ? 503 : 204));
    await lane.send(eventsOf('a', 1, 4));
    expect(sent.slice(0, 3)).toEqual([sent[0], sent[0], sent[0]]);
    expect(sent.map(({ events }) => events.length)).toEqual([3, 3, 3, 1]);
    expect(kept[1]).toMatchObject({ id: sent[0]?.id, state: 'retrying', nextAttemptAtMs: 9 });
    expect(kept[1]?.attempts.map(({ status }) => status)).toEqual([503, 503]);
    expect(kept[2]).toBeUndefined();
    expect(recorded[0]?.attempts).toHaveLength(3);
  });

  it('gives a request up after the last attempt, and goes on', async () => {
    const { lane, sent, recorded } = opened(() => (sent.length <= ATTEMPTS_MAX ? 500 : 204));
    await lane.send(eventsOf('a', 1, 4));
    expect(recorded.map(({ state, eventCount }) => [state, eventCount])).toEqual([
      ['failed', 3],
      ['delivered', 1],
    ]);
    expect(recorded[0]?.attempts).toHaveLength(ATTEMPTS_MAX);
  });

  it('does not count what was under way when it was closed', async () => {
    const { lane, done, sent, places } = opened(() => new Promise(() => {}));
    const sending = lane.send(eventsOf('a', 1, 1));
    await until(() => sent.length === 1, DEADLINE_MS);
    lane.close();
    await sending;
    expect(places).toEqual([]);
    expect(lane.isOpen).toBe(false);
    void done;
  });

  it('remembers where it is when there is nothing to tell', async () => {
    const { lane, sent, places } = opened(() => 204);
    await lane.send([{ node: 'a', position: { life: 1, number: 9 } }]);
    expect([sent, places]).toEqual([[], [[['a', 9]]]]);
    expect(lane.positionAt('a')).toEqual({ life: 1, number: 9 });
  });

  it('sends a request before it is too long', async () => {
    const { lane, sent } = opened(() => 204);
    const long = 'x'.repeat(200_000);
    await lane.send([1, 2, 3].map((n) => ({ node: 'a', event: { id: `${String(n)}${long}` } })));
    expect(sent.map(({ events }) => events.length)).toEqual([1, 1, 1]);
  });
});
