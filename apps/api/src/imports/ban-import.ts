import { banIdOf, banSubject } from '#libs/access';
import { banImportItemSchema, type WireBanWish, type WireNewBan } from '#libs/api-contracts';
import { banRefused, wireBanOf } from '../bans-presenter.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { Definitions } from '../http/definitions.ts';
import { ProblemError } from '../http/problem-error.ts';
import { checkedItem } from '../http/request-check.ts';
import type { OperationKind } from '../operations/operation-kind.ts';
import { importRows, type ImportInput, type ImportTarget, type RowState } from './import-walk.ts';

/** A ban as a row wants it. */
interface WantedBan {
  readonly id: string;
  readonly ban: WireNewBan;
}

const BATCH = 200;

const BANS = new Definitions('ban');

/** Makes and changes bans. */
export const BAN_IMPORTS: OperationKind<ImportInput> = {
  ...{ kind: 'ban-imports', resultScope: 'bans:write' },
  run: (input, run, { cluster }) => importRows(input, run, banTarget(cluster)),
};

function banTarget(cluster: Cluster): ImportTarget<WantedBan> {
  return {
    batch: BATCH,
    read: async (row) => {
      const { line: _, ...item } = checkedItem(banImportItemSchema, row);
      const ban = wireBanOf(item);
      const subject = banSubject(ban);
      if (subject === undefined) throw banRefused({ kind: 'invalid' }, item.kind);
      const id = banIdOf(subject);
      return { key: id, item: { id, ban } };
    },
    look: async (bans) => {
      const command = { kind: 'change-bans', dryRun: true, wishes: wishesOf(bans) } as const;
      const { changes } = await cluster.inquire().read(command);
      return bans.map(({ ban }, index): RowState => {
        const change = changes[index];
        if (change?.kind === 'possible') return 'absent';
        return change?.kind === 'exists' ? 'present' : refusalOf(change?.kind, ban);
      });
    },
    create: async (bans) => {
      const command = { kind: 'change-bans', wishes: wishesOf(bans) } as const;
      const { changes } = await cluster.inquire().change(command);
      return bans.map(({ ban }, index) => {
        const change = changes[index];
        if (change?.kind === 'stored') return 'created';
        return change?.kind === 'exists' ? 'exists' : refusalOf(change?.kind, ban);
      });
    },
    update: async ({ id, ban }) => {
      const before = (await cluster.inquire().read({ kind: 'ban', id })).ban;
      if (before === undefined) return BANS.refused('absent');
      const { revision } = before;
      const change = await cluster.inquire().change({ kind: 'put-ban', ban, revision });
      if (change.kind === 'stored') return 'updated';
      if (change.kind === 'conflict' || change.kind === 'absent') return BANS.refused(change.kind);
      return refusalOf(change.kind, ban);
    },
  };
}

function wishesOf(bans: readonly WantedBan[]): readonly WireBanWish[] {
  return bans.map(({ ban }) => ({ kind: 'add', ban }));
}

function refusalOf(kind: string | undefined, ban: WireNewBan): ProblemError {
  if (kind === 'full' || kind === 'costly' || kind === 'invalid') {
    return banRefused({ kind }, ban.kind);
  }
  return new ProblemError('internal', 'The node did not say what came of it');
}
