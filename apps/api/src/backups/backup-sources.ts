import { randomUUID } from 'node:crypto';
import { BACKUP_SECTIONS, type WireSavedSession } from '#libs/api-contracts';
import { ProblemError } from '../http/problem-error.ts';
import type { OperationParts } from '../operations/operation-kind.ts';
import type { ArchiveItem, SectionName, SectionSource } from './archive-format.ts';
import { definitionsOf } from './backup-definitions.ts';
import type { BackupNodes } from './backup-nodes.ts';

const SESSIONS_PAGE = 200;

/** The node that listed retained messages has gone, and what it had not told of them. */
export class ListingLostError extends ProblemError {
  constructor() {
    super('node-unavailable', 'The node that listed retained messages has gone');
  }
}

type Item = Omit<ArchiveItem, 'section'>;

/** What a backup is made of, section by section; pages are read when they are asked for. */
export function sourcesOf(
  parts: Pick<OperationParts, 'cluster' | 'guard'>,
  nodes: BackupNodes,
): readonly SectionSource[] {
  const definitions = definitionsOf(parts, { scopes: new Set() });
  const pages: Partial<Record<SectionName, () => AsyncIterable<Item>>> = {
    retained: () => retainedOf(nodes),
    delayed: () => delayedOf(nodes),
    sessions: () => sessionsOf(nodes),
  };
  return BACKUP_SECTIONS.map((name) => ({
    name,
    async *items() {
      const section = definitions.get(name);
      for (const { item } of (await section?.present()) ?? []) yield whole(item);
      yield* pages[name]?.() ?? [];
    },
  }));
}

/** A session with all of its queue, which may be large, piece by piece. */
export async function* sessionItems(
  { session, queue, next }: WireSavedSession,
  nodes: BackupNodes,
): AsyncGenerator<Item, void, undefined> {
  const { clientId, lastSequence: until } = session;
  yield { item: session, queue, more: next !== undefined };
  for (let after = next; after !== undefined;) {
    const rest = await nodes.ask<'backup-queue'>({
      ...{ kind: 'backup-queue', clientId, after, until },
    });
    after = rest.next;
    yield { item: undefined, queue: rest.queue, more: after !== undefined };
  }
}

/** Delayed messages, all there are. */
export async function* delayedOf(nodes: BackupNodes): AsyncGenerator<Item, void, undefined> {
  let after: { readonly dueAtMs: number; readonly id: string } | undefined;
  do {
    const page = await nodes.ask<'backup-delayed'>({ kind: 'backup-delayed', after });
    for (const item of page.items) yield whole(item);
    after = page.next;
  } while (after !== undefined);
}

async function* retainedOf(nodes: BackupNodes): AsyncGenerator<Item, void, undefined> {
  const listing = randomUUID();
  for (let page = 0, hasMore = true; hasMore; page += 1) {
    const found = await nodes.ask<'backup-retained'>({ kind: 'backup-retained', listing, page });
    if (found.kind === 'lost') throw new ListingLostError();
    for (const message of found.messages) yield whole(message);
    ({ hasMore } = found);
  }
}

async function* sessionsOf(nodes: BackupNodes): AsyncGenerator<Item, void, undefined> {
  const listing = randomUUID();
  let after: string | undefined;
  do {
    const page = await nodes.ask<'backup-sessions'>({
      ...{ kind: 'backup-sessions', listing, after, limit: SESSIONS_PAGE },
    });
    for (const saved of page.items) yield* sessionItems(saved, nodes);
    ({ after } = page);
  } while (after !== undefined);
}

function whole(item: unknown): Item {
  return { item, queue: [], more: false };
}
