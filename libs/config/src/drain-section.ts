import { z } from 'zod';
import { section, whole } from './kinds.ts';

/** How a node sends its clients away before it ends, or when it is asked to. */
export const drain = section({
  connectionsPerSecond: whole(
    'Clients that are sent away each second. 0 makes it as many as go within `drain.durationSeconds`, 200 at least.',
    { default: 0, min: 0, max: 100_000, unit: 'connections/s' },
  ),
  durationSeconds: whole('How long it takes to send all away, where no rate is set.', {
    default: 60,
    min: 1,
    max: 3_600,
    unit: 's',
  }),
  deadlineSeconds: whole(
    'When all have to have gone; the rate grows to meet it. 0 sets no such time.',
    { default: 0, min: 0, max: 3_600, unit: 's' },
  ),
  serverReference: z
    .string()
    .regex(/^\S+(?: \S+)*$/)
    .max(1024)
    .exactOptional()
    .meta({
      description:
        'Where v5 clients are sent: they are told 0x9C and this instead of 0x8B. The default is `node.serverReference`.',
      expects: 'one or more host:port, separated by spaces',
    }),
  willHoldSeconds: whole(
    'How long the will of a client that is sent away is held back; a new connection of the client at any node cancels it.',
    { default: 30, min: 0, max: 45, unit: 's' },
  ),
  lameDuckSeconds: whole(
    'How long a node that is to end tells new clients to go elsewhere before it sends the others away: time for load balancers to notice.',
    { default: 0, min: 0, max: 600, unit: 's' },
  ),
});
