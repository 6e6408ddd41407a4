import type { OperationKind } from '../operations/operation-kind.ts';
import { shownWalk, walkClients, type ClientWalkInput } from './client-walk.ts';

/** Disconnects clients that a filter finds. */
export const CLIENT_DISCONNECTS: OperationKind<ClientWalkInput> = {
  ...{ kind: 'client-disconnects', resultScope: 'clients:read' },
  run: async (input, run, parts) => {
    const walk = await walkClients(input, run, parts);
    return { ...shownWalk(walk, input.how), disconnected: walk.done, banned: walk.banned };
  },
};

/** Ends sessions that a filter finds. */
export const SESSION_PURGES: OperationKind<ClientWalkInput> = {
  ...{ kind: 'session-purges', resultScope: 'sessions:read' },
  run: async (input, run, parts) => {
    const walk = await walkClients(input, run, parts);
    return { ...shownWalk(walk, input.how), ended: walk.done };
  },
};
