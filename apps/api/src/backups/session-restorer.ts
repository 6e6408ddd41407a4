import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type {
  WireBackupQueued,
  WireBackupSession,
  WireNode,
  WireSavedSession,
  WireSessionRestored,
} from '#libs/api-contracts';
import type { Cluster } from '../cluster/cluster.ts';
import { ProblemError } from '../http/problem-error.ts';
import { SectionCounter, type ArchiveItem } from './archive-format.ts';
import type { BackupNodes } from './backup-nodes.ts';
import { sessionItems } from './backup-sources.ts';
import type { RestoreTally } from './restore-tally.ts';

const packetIds = z.array(z.int().min(1).max(65_535)).max(65_535);
const count = z.int().min(0);

const sessionSchema: z.ZodType<WireBackupSession> = z.strictObject({
  clientId: z.string().min(1).max(65_535),
  user: z.string().max(65_535).optional(),
  expiryIntervalSeconds: z.int().min(1).max(0xffff_ffff),
  expiresAtMs: count,
  subscriptions: z.array(
    z.strictObject({
      ...{ filter: z.string().min(1).max(65_535), subscriptionIdentifier: count },
      ...{ qos: z.literal([0, 1, 2]), retainHandling: z.literal([0, 1, 2]) },
      ...{ noLocal: z.boolean(), retainAsPublished: z.boolean() },
    }),
  ),
  receivedPacketIds: packetIds,
  receiving: z.array(
    z.strictObject({
      ...{ packetId: z.int().min(1).max(65_535), digest: count, sequence: count },
      source: z.strictObject({ nodeId: z.string(), incarnation: count }),
    }),
  ),
  releasedPacketIds: packetIds,
  lastSequence: count,
});

/** A session that waits for its turn. */
interface Waiting {
  readonly session: WireBackupSession;
  readonly queue: readonly WireBackupQueued[];
  readonly digest: string;
}

/** A session whose queue comes piece by piece. */
interface Large {
  readonly session: WireBackupSession;
  readonly token: string;
  readonly node: WireNode;
  outcome: WireSessionRestored | undefined;
}

/** What a restore is carried out with. */
export interface RestorerOptions {
  readonly cluster: Cluster;
  readonly nodes: BackupNodes;
  readonly tally: RestoreTally;
  readonly replaces: boolean;
  readonly dryRun: boolean;
}

const BATCH_SESSIONS = 50;
const BATCH_CHARACTERS = 512 * 1024;
/** How often a session is tried that is on its way between nodes. */
const TRIES = 5;

/** Restores sessions at nodes in turn, each of which has those that it was given. */
export class SessionRestorer {
  readonly #options: RestorerOptions;
  #waiting: Waiting[] = [];
  #characters = 0;
  #large: Large | undefined;

  constructor(options: RestorerOptions) {
    this.#options = options;
  }

  /** Whether it has done all that it was given. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#large === undefined;
  }

  /** Takes an item of the archive, or more of one. */
  async add({
    item,
    queue,
    more,
    digest = '',
  }: ArchiveItem & { readonly digest: string | undefined }): Promise<void> {
    if (item === undefined) return this.#goOn(queue, { more, digest });
    const session = sessionSchema.safeParse(item).data;
    if (session === undefined) {
      const { clientId } = item as { readonly clientId?: unknown };
      // The rest of its queue belongs to nobody.
      this.#large = undefined;
      this.#options.tally.add('sessions', String(clientId), { reason: 'unreadable' });
      return;
    }
    if (more) return this.#begin(session, queue);
    this.#waiting.push({ session, queue, digest });
    this.#characters += queue.reduce((sum, [, text]) => sum + text.length, 200);
    const isFull = this.#waiting.length >= BATCH_SESSIONS || this.#characters >= BATCH_CHARACTERS;
    if (isFull) await this.flush();
  }

  /** Does what waits. */
  async flush(): Promise<void> {
    let waiting: readonly Waiting[] = this.#waiting;
    this.#waiting = [];
    this.#characters = 0;
    for (let tries = 1; waiting.length > 0; tries += 1) {
      const again: Waiting[] = [];
      const elsewhere = new Map<string, Waiting[]>();
      const outcomes = await this.#restore(waiting);
      for (const [at, each] of waiting.entries()) {
        const outcome = outcomes[at] ?? { kind: 'failed' };
        const { kind, nodeId = '' } = outcome;
        if (kind === 'elsewhere') elsewhere.set(nodeId, [...(elsewhere.get(nodeId) ?? []), each]);
        else if (kind === 'busy' && tries < TRIES) again.push(each);
        else await this.#settle(each, outcome);
      }
      for (const [nodeId, group] of elsewhere) {
        const found = await this.#restore(group, nodeId);
        for (const [at, each] of group.entries()) {
          const outcome = found[at] ?? { kind: 'failed' };
          const hasMoved = outcome.kind === 'elsewhere' || outcome.kind === 'busy';
          if (hasMoved && tries < TRIES) again.push(each);
          else await this.#settle(each, hasMoved ? { kind: 'busy' } : outcome);
        }
      }
      waiting = again;
      if (again.length > 0) await this.#options.nodes.pause();
    }
  }

  async #restore(
    waiting: readonly Waiting[],
    nodeId?: string,
  ): Promise<readonly WireSessionRestored[]> {
    const { nodes, replaces, dryRun } = this.#options;
    const sessions = waiting.map(({ session, queue }) => ({ session, queue }));
    const command = { kind: 'restore-sessions', sessions, replaces, dryRun } as const;
    return (await nodes.askInTurn<'restore-sessions'>(command, nodeId)).outcomes;
  }

  async #begin(session: WireBackupSession, queue: readonly WireBackupQueued[]): Promise<void> {
    await this.flush();
    const node = await this.#nodeFor(session.clientId);
    const large: Large = { session, token: randomUUID(), node, outcome: undefined };
    this.#large = large;
    if (this.#options.dryRun) {
      [large.outcome] = await this.#restore([{ session, queue: [], digest: '' }]);
    } else await this.#bring(large, queue, { more: true, isFirst: true });
  }

  async #goOn(
    queue: readonly WireBackupQueued[],
    { more, digest }: { readonly more: boolean; readonly digest: string },
  ): Promise<void> {
    const large = this.#large;
    if (large === undefined) return;
    if (large.outcome === undefined) await this.#bring(large, queue, { more, isFirst: false });
    if (more) return;
    this.#large = undefined;
    const outcome = large.outcome ?? { kind: 'failed' };
    await this.#settle({ session: large.session, digest }, outcome);
  }

  /** A node that does not answer is not asked again: what it has of the session, it gives up. */
  async #bring(
    large: Large,
    queue: readonly WireBackupQueued[],
    { more, isFirst }: { readonly more: boolean; readonly isFirst: boolean },
  ): Promise<void> {
    const { nodes, replaces } = this.#options;
    const { token, node, session } = large;
    const part = { kind: 'restore-session-part', token, queue, replaces } as const;
    try {
      const answer = await nodes.askOnce<'restore-session-part'>(node, {
        ...{ ...part, isLast: !more },
        ...(isFirst && { session }),
      });
      large.outcome = answer.outcome;
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      large.outcome = { kind: 'failed' };
    }
  }

  /** The node that has a session is the one to replace it. */
  async #nodeFor(clientId: string): Promise<WireNode> {
    const { cluster, nodes, replaces } = this.#options;
    if (!replaces) return nodes.inTurn();
    try {
      return (await cluster.inquire().findClient(clientId)).node;
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return nodes.inTurn();
    }
  }

  async #settle(
    { session, digest }: Omit<Waiting, 'queue'>,
    { kind }: WireSessionRestored,
  ): Promise<void> {
    const { tally } = this.#options;
    const { clientId } = session;
    if (kind === 'restored') tally.add('sessions', clientId, kind);
    else if (kind === 'present' && (await this.#isThere(clientId, digest))) {
      tally.add('sessions', clientId, 'unchanged');
    } else tally.add('sessions', clientId, { reason: kind === 'elsewhere' ? 'busy' : kind });
  }

  /** Whether the session that there is equals that of the backup: the answer to an earlier try may have been lost. */
  async #isThere(clientId: string, digest: string): Promise<boolean> {
    const { nodes } = this.#options;
    const { item } = await nodes.ask<'backup-session'>({ kind: 'backup-session', clientId });
    if (item === undefined) return false;
    return (await digestOfSession(item, nodes)) === digest;
  }
}

async function digestOfSession(
  saved: WireSavedSession,
  nodes: BackupNodes,
): Promise<string | undefined> {
  const counter = new SectionCounter('sessions');
  let digest: string | undefined;
  for await (const item of sessionItems(saved, nodes)) digest = counter.add(item);
  return digest;
}
