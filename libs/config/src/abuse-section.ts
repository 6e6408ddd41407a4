import { z } from 'zod';
import type { ConfigFault } from './config-error.ts';
import { flag, section, whole } from './kinds.ts';

const rateOf = (whose: string, counted: string) =>
  section({
    messagesPerSecond: whole(
      `Most messages a second from ${whose}; it is not read from while it sends more. 0 sets no bound.${counted}`,
      { default: 0, min: 0, max: 10_000_000, unit: 'messages/s' },
    ),
    bytesPerSecond: whole(
      `Most bytes a second from ${whose}, all packets included; it is not read from while it sends more. 0 sets no bound.${counted}`,
      { default: 0, min: 0, max: 1_000_000_000, unit: 'bytes/s' },
    ),
  });

/** How fast clients may send. */
export const rates = section({
  client: rateOf('one client', ''),
  user: rateOf('all clients of a user', ' Each node counts for itself.'),
  burstSeconds: whole('How many seconds’ worth of a rate may come at once.', {
    default: 2,
    min: 1,
    max: 3_600,
    unit: 's',
  }),
  heldSecondsMax: whole(
    'How long a client may go on to send more than its rates allow; then its connection ends with 0x97. 0 lets it go on for ever, at its rates.',
    { default: 60, min: 0, max: 86_400, unit: 's' },
  ),
});

const quota = (description: string, unit: string) =>
  whole(`${description} 0 sets no bound.`, { default: 0, min: 0, max: 1_000_000_000_000, unit });

/** What a user may have. */
export const quotas = section({
  user: section({
    connectionsMax: quota(
      'Most connections of a user at a node; one more is refused with 0x97.',
      'connections',
    ),
    sessionsMax: quota(
      'Most sessions of a user at a node, connected or not; a new one more is refused with 0x97. Counted are those whose client has been at the node since its start.',
      'sessions',
    ),
    subscriptionsMax: quota(
      'Most subscriptions of all sessions of a user at a node; one more is refused with 0x97.',
      'subscriptions',
    ),
    retainedMessagesMax: quota(
      'Most topics that clients of a user have set a retained message of, at a node and since its start; one more is refused with 0x97.',
      'messages',
    ),
    queueBytesMax: quota(
      'Most bytes queued for all sessions of a user at a node, counted once a second; more are dropped and counted for clients that are away or do not keep up.',
      'bytes',
    ),
  }),
});

/** When coming and going is too much. */
export const flapping = section({
  connectionsMax: whole(
    'Most connections of a client id that end within a window at a node, after less than a window each; with one more it is banned for a while. Ends that are the node’s doing do not count. 0 bans nobody.',
    { default: 100, min: 0, max: 1_000_000, unit: 'connections' },
  ),
  connectionsPerAddressMax: whole(
    'The same of a user from one address, whatever its client ids; the address is banned, or the /64 of an IPv6 one, with all who share it. 0, the default, bans none.',
    { default: 0, min: 0, max: 1_000_000, unit: 'connections' },
  ),
  windowSeconds: whole('How long a window is.', { default: 60, min: 1, max: 3_600, unit: 's' }),
  banSeconds: whole('How long such a ban lasts.', {
    default: 300,
    min: 1,
    max: 2_592_000,
    unit: 's',
  }),
});

const thresholds = (what: string, defaults: readonly number[], most: number) =>
  z
    .array(z.int().min(0).max(most))
    .length(3)
    .default([...defaults])
    .meta({
      description: `From where on ${what} calls for level 1, 2 and 3. 0 never does.`,
      expects: `a list of three numbers from 0 to ${String(most)}, none below the one before it`,
    });

/** When a node has too much to do. */
export const overload = section({
  enabled: flag(
    'Whether a node that has too much to do refuses new clients (level 1), drops QoS 0 besides (2), and does not read from who publishes (3).',
    true,
  ),
  loopDelayMs: thresholds(
    'the mean delay of the event loop, in milliseconds,',
    [500, 1_000, 2_000],
    60_000,
  ),
  heapPercent: thresholds('the used part of the heap, in percent,', [90, 95, 98], 100),
  redisDelayMs: thresholds(
    'the mean time of a command to Redis, in milliseconds,',
    [1_000, 2_000, 4_000],
    60_000,
  ),
  spoolPercent: thresholds(
    'the used part of the spool, in percent, which by default concerns publishers of its rules alone,',
    [0, 0, 0],
    100,
  ),
  riseSeconds: whole('How long that must be so before a level is entered.', {
    default: 5,
    min: 1,
    max: 3_600,
    unit: 's',
  }),
  fallSeconds: whole(
    'How long all must be below four fifths of that before a level is left for the one below it.',
    { default: 10, min: 1, max: 3_600, unit: 's' },
  ),
});

/** Finds thresholds of which a higher level needs less than a lower one. */
export function overloadFaults(settings: z.output<typeof overload>): readonly ConfigFault[] {
  const keys = ['loopDelayMs', 'heapPercent', 'redisDelayMs', 'spoolPercent'] as const;
  return keys.flatMap((key) => {
    const used = settings[key].filter((threshold) => threshold > 0);
    const isOrdered = used.every((threshold, index) => threshold >= (used[index - 1] ?? 0));
    if (isOrdered) return [];
    return [
      {
        field: `overload.${key}`,
        problem: 'calls for a higher level with less than for a lower one',
        fix: 'write the three thresholds in rising order; 0 leaves a level out',
      },
    ];
  });
}
