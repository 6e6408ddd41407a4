import { CLIENT_DISCONNECTS, SESSION_PURGES } from '../client-work/client-work-kinds.ts';
import { BACKUP_OPERATION } from '../backups/backup-operation.ts';
import { RESTORE_OPERATION } from '../backups/restore-operation.ts';
import { DEAD_LETTER_REPLAYS } from '../dead-letter-replays.ts';
import { BAN_IMPORTS } from '../imports/ban-import.ts';
import { USER_EXPORTS } from '../imports/user-export.ts';
import { USER_IMPORTS } from '../imports/user-import.ts';
import { RETAINED_REMOVALS } from '../retained-removals.ts';
import { DIAGNOSTICS } from '../diagnostics/diagnostics-kind.ts';
import type { OperationKind } from './operation-kind.ts';

/** Everything that is done as a long operation. */
export const OPERATION_KINDS: readonly OperationKind<never>[] = [
  CLIENT_DISCONNECTS,
  SESSION_PURGES,
  DIAGNOSTICS,
  BACKUP_OPERATION,
  RESTORE_OPERATION,
  RETAINED_REMOVALS,
  DEAD_LETTER_REPLAYS,
  USER_IMPORTS,
  USER_EXPORTS,
  BAN_IMPORTS,
];
