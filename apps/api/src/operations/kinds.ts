import type { OperationKind } from './operation-kind.ts';

/** Everything that is done as a long operation. */
export const OPERATION_KINDS: readonly OperationKind<never>[] = [];
