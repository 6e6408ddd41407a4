import { CLIENT_DISCONNECTS, SESSION_PURGES } from '../client-work/client-work-kinds.ts';
import type { OperationKind } from './operation-kind.ts';

/** Everything that is done as a long operation. */
export const OPERATION_KINDS: readonly OperationKind<never>[] = [
  CLIENT_DISCONNECTS,
  SESSION_PURGES,
];
