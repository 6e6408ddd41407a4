import { beforeEach, expect, it } from '@jest/globals';
import type { ClientQuery } from '#libs/broker-ports';
import { OrderedTexts } from './ordered-texts.ts';
import type { SessionEntry } from './session-entry.ts';
import { SessionListing } from './session-listing.ts';

const COUNT = 9_000;
const nameOf = (index: number): string => String(index).padStart(5, '0');

let entries: Map<string, SessionEntry>;
let ids: OrderedTexts;
let deferred: (() => void)[];
let listing: SessionListing;

/** As much of a session as a list shows. */
function entryOf(clientId: string, connectedAtMs: number): SessionEntry {
  const outbound = { queueCount: 0, queueBytes: 0, inflightCount: 0 };
  const known = { clientId, connectedAtMs, session: { outbound }, subscriptions: new Map() };
  return known as unknown as SessionEntry;
}

function add(index: number): void {
  entries.set(nameOf(index), entryOf(nameOf(index), index));
  ids.add(nameOf(index));
}

function remove(index: number): void {
  entries.delete(nameOf(index));
  ids.delete(nameOf(index));
}

/** Asks for a page and does something before each piece of the work but the first. */
async function pageOf(query: Partial<ClientQuery>, between: (piece: number) => void = () => {}) {
  const page = listing.clients({ limit: 3, ...query });
  let pieces = 1;
  for (let next = deferred.shift(); next !== undefined; next = deferred.shift()) {
    between(pieces);
    pieces += 1;
    next();
  }
  const { items, hasMore } = await page;
  return { ids: items.map(({ clientId }) => Number(clientId)), hasMore, pieces };
}

beforeEach(() => {
  entries = new Map();
  ids = new OrderedTexts();
  deferred = [];
  for (let index = 0; index < COUNT; index += 1) add((index * 7) % COUNT);
  const sessions = { all: () => entries.values(), get: (id: string) => entries.get(id), ids };
  listing = new SessionListing(sessions, (run) => void deferred.push(run));
});

it('looks at no more sessions than a page needs', async () => {
  const middle = { clientId: nameOf(5_000) };

  expect(await pageOf({})).toEqual({ ids: [0, 1, 2], hasMore: true, pieces: 1 });
  expect(await pageOf({ after: middle })).toMatchObject({ ids: [5_001, 5_002, 5_003], pieces: 1 });
  expect(await pageOf({ after: middle, descending: true })).toMatchObject({
    ...{ ids: [4_999, 4_998, 4_997], pieces: 1 },
  });
  expect(await pageOf({ after: { clientId: nameOf(COUNT - 2) } })).toEqual({
    ...{ ids: [COUNT - 1], hasMore: false, pieces: 1 },
  });
});

it.each(['client_id', 'connected_at'] as const)(
  'searches many in pieces by %s, and finds whoever stays while others come and go',
  async (order) => {
    const wanted = new Set([8_100, 8_500, COUNT - 1].map(nameOf));
    const isWanted = ({ clientId }: { readonly clientId: string }) => wanted.has(clientId);
    const found = await pageOf({ order, isWanted }, (piece) => {
      for (let index = piece * 100; index < piece * 100 + 50; index += 1) remove(index);
      remove(2_000 * piece);
      remove(2_000 * piece - 1);
      add(COUNT + piece);
    });

    expect(found).toMatchObject({ ids: [8_100, 8_500, COUNT - 1], hasMore: false });
    expect(found.pieces).toBeGreaterThan(3);
  },
);

it('shows first who takes messages late, by whatever that is measured', async () => {
  entries = new Map();
  for (const [id, delayMs, unsentBytes] of [
    [1, 50, 0],
    [2, undefined, 7],
    [3, 900, 3],
  ] as const) {
    const delay = delayMs === undefined ? undefined : { meanMs: delayMs };
    const connection = { unsentBytes };
    entries.set(nameOf(id), Object.assign(entryOf(nameOf(id), id), { delay, connection }));
  }
  const late = { order: 'delivery_delay_seconds', descending: true } as const;
  expect((await pageOf(late)).ids).toEqual([3, 1, 2]);
  const after = { clientId: nameOf(1), deliveryDelayMs: 50 };
  expect((await pageOf({ ...late, after })).ids).toEqual([2]);
  const unsent = await pageOf({ order: 'unsent_bytes', descending: true, limit: 1 });
  expect(unsent).toMatchObject({ ids: [2], hasMore: true });
});

it('fails a page, and nothing else, when a filter fails late', async () => {
  const isWanted = ({ clientId }: { readonly clientId: string }): boolean => {
    if (clientId === nameOf(6_000)) throw new Error('a filter that fails');
    return false;
  };

  await expect(pageOf({ isWanted })).rejects.toThrow('a filter that fails');
});
