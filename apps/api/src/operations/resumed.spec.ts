import { beforeEach, describe, expect, it } from '@jest/globals';
import type { NodeCommand, NodeReply } from '#libs/api-contracts';
import { ApiMeter } from '#libs/metrics-prom';
import { Cluster } from '../cluster/cluster.ts';
import { importRows, type ImportInput, type ImportTarget } from '../imports/import-walk.ts';
import { DEAD_LETTER_REPLAYS, type DeadLetterReplayInput } from '../dead-letter-replays.ts';
import { RETAINED_REMOVALS, type RetainedRemovalInput } from '../retained-removals.ts';
import type { OperationKind, OperationParts } from './operation-kind.ts';

/** What a worker dies of. */
const DEATH = new Error('killed');

let asked: NodeCommand[];
let answer: (command: NodeCommand) => object;
let cluster: Cluster;

beforeEach(() => {
  asked = [];
  const ask = async (_: string, command: NodeCommand) => {
    asked.push(command);
    return {
      kind: 'reply',
      reply: { kind: 'done', answer: answer(command) } as NodeReply,
    } as const;
  };
  const node = { nodeId: 'n', incarnation: 1, version: '1', startedAtMs: 0, state: 'alive' };
  const nodes = { kind: 'done', answer: { nodes: [node] } } as NodeReply;
  const askAny = async () => ({ kind: 'reply', reply: nodes }) as const;
  cluster = new Cluster({ client: { ask, askAny }, timeoutMs: 500, meter: new ApiMeter() });
});

/** Carries it out, with a death when so much was asked of nodes, and again from what was written down. */
async function diesOnce<Input>(kind: OperationKind<Input>, input: Input, deathAt: number) {
  // An operation needs nothing else of them.
  const parts = { cluster } as OperationParts;
  let checkpoint: unknown;
  const wholeAnswer = answer;
  let isDead = false;
  const run = () => ({
    ...{ id: 'j', actor: 'key:k', checkpoint, signal: new AbortController().signal },
    report: async (update: { checkpoint?: unknown }) => {
      // As a store has it.
      if (update.checkpoint !== undefined)
        checkpoint = JSON.parse(JSON.stringify(update.checkpoint));
    },
  });
  answer = (command) => {
    const made = wholeAnswer(command);
    if (!isDead && asked.length === deathAt) {
      isDead = true;
      throw DEATH;
    }
    return made;
  };
  await expect(kind.run(input, run(), parts)).rejects.toBe(DEATH);
  return kind.run(input, run(), parts);
}

it.each([1, 2, 3, 4])(
  'letters are all replayed, and none twice, when a worker dies at question %d',
  async (deathAt) => {
    const letters = new Set(['1-0', '1-1', '1-2']);
    const handed: string[] = [];
    answer = (command) => {
      if (command.kind === 'dead-letters') {
        const rest = [...letters].filter((id) => id > (command.after ?? ''));
        const items = rest.slice(0, 2).map((id) => ({ id }));
        return { items, ...(rest.length > 2 && { next: items.at(-1)?.id }) };
      }
      if (command.kind !== 'replay-dead-letters') throw new Error(command.kind);
      return {
        results: command.ids.map((id) => {
          const isThere = letters.delete(id);
          if (isThere) handed.push(id);
          return { id, outcome: isThere ? 'replayed' : 'absent' };
        }),
      };
    };
    const input: DeadLetterReplayInput = { query: { toMs: 5 }, perSecond: 10_000, dryRun: false };
    const result = (await diesOnce(DEAD_LETTER_REPLAYS, input, deathAt)) as {
      matched: number;
      replayed: number;
      absent: number;
    };
    expect(handed).toEqual(['1-0', '1-1', '1-2']);
    expect(result.matched).toBe(3);
    expect(result.replayed + result.absent).toBe(3);
  },
);

it('a removal goes on behind the topics that are done, and behind those of the request', async () => {
  answer = (command) => {
    if (command.kind !== 'clear-retained-matching') throw new Error(command.kind);
    const topic = `t/${Number((command.after ?? 't/0').slice(2)) + 1}`;
    return { topics: [topic], hasMore: topic !== 't/5' };
  };
  const walk = { after: 't/1', matched: 1, topics: ['t/1'] };
  const input: RetainedRemovalInput = { filter: 't/+', dryRun: true, walk };

  expect(await diesOnce(RETAINED_REMOVALS, input, 3)).toMatchObject({
    ...{ matched: 5, topics: ['t/1', 't/2', 't/3', 't/4', 't/5'] },
  });
  const afters = asked.map((command) => 'after' in command && command.after);
  expect(afters).toEqual(['t/1', 't/2', 't/3', 't/3', 't/4']);
});

describe('an import whose worker dies', () => {
  const ROWS = Array.from({ length: 5 }, (_, index) => ({ name: `n${index}` }));
  let made: string[];
  let changed: string[];
  let calls: number;
  let deathAt: number;

  /** Each call takes effect, and the death is before the answer. */
  function call<Answer>(answered: Answer): Answer {
    calls += 1;
    if (calls === deathAt) throw DEATH;
    return answered;
  }

  const target: ImportTarget<string> = {
    batch: 2,
    read: async (row) => {
      const { name } = row as { name: string };
      return { key: name, item: name };
    },
    look: async (names) =>
      call(names.map((name) => (made.includes(name) ? ('present' as const) : ('absent' as const)))),
    create: async (names) =>
      call(
        names.map((name) => {
          if (made.includes(name)) return 'exists';
          made.push(name);
          return 'created';
        }),
      ),
    update: async (name) => {
      changed.push(name);
      return call('updated');
    },
  };
  const KIND: OperationKind<ImportInput> = {
    kind: 'import',
    run: (input, run) => importRows(input, run, target),
  };

  beforeEach(() => {
    made = ['n1'];
    changed = [];
    calls = 0;
  });

  it.each([1, 2, 3, 4, 5, 6])('counts as created what it has created, at call %d', async (at) => {
    deathAt = at;
    const input: ImportInput = { rows: ROWS, existing: 'skip', dryRun: false };
    const result = await diesOnce(KIND, input, -1);
    expect(result).toMatchObject({ rows: 5, created: 4, skipped: 1, updated: 0, failed: 0 });
    expect(made).toEqual(['n1', 'n0', 'n2', 'n3', 'n4']);
  });

  it('updates again what it may have updated', async () => {
    deathAt = 3;
    const input: ImportInput = { rows: ROWS, existing: 'update', dryRun: false };
    expect(await diesOnce(KIND, input, -1)).toMatchObject({ created: 4, updated: 1, skipped: 0 });
    expect(changed).toEqual(['n1', 'n1']);
  });
});
