import { z } from 'zod';

/** Levels of text, `+` or, as the last one, `#`. */
const FILTER = /^(?:(?:\+|[^+#\0/]*)\/)*(?:\+|#|[^+#\0/]*)$/u;
/** A name may hold `$`, but `${` and `$1` begin a placeholder. */
const PLACEHOLDER = /\$(?:\{(?<field>[^}]*\}?)|(?<capture>[1-9]))/gu;
const NAME_LENGTH_MAX = 1_024;

const flag = (description: string) =>
  z.boolean({ error: 'must be true or false' }).default(false).meta({ description });

const filterText = (description: string, expects: string) =>
  z
    .string({ error: `must be ${expects}` })
    .refine((text) => text.length > 0 && text.length <= NAME_LENGTH_MAX && FILTER.test(text), {
      error: `must be ${expects} of 1 to 1,024 characters`,
    })
    .meta({ description, expects });

const FIELDS = new Set(['clientId}', 'clientid}', 'username}', 'host}']);

/** Why a template cannot be filled; undefined when it can. */
function placeholderFault(text: string, captures: number): string | undefined {
  for (const { groups } of text.matchAll(PLACEHOLDER)) {
    const { field, capture } = groups ?? {};
    if (capture !== undefined) {
      if (Number(capture) > captures)
        return `holds $${capture}, but the filter has no such wildcard`;
    } else if (!FIELDS.has(field ?? '')) {
      return 'holds a placeholder other than ${clientId}, ${username} and ${host}';
    }
  }
  return undefined;
}

/** A rewrite rule, as the file states it. */
export const rewriteRule = z
  .strictObject({
    action: z
      .enum(['publish', 'subscribe', 'all'], { error: 'must be publish, subscribe or all' })
      .default('all')
      .meta({
        description:
          'What it is for: PUBLISH and wills, SUBSCRIBE and UNSUBSCRIBE, or all of them.',
      }),
    filter: filterText(
      'Which names it is for. Each wildcard captures what it stands for.',
      'an MQTT topic filter',
    ),
    destination: z
      .string({ error: 'must be a template' })
      .min(1, { error: 'must be a template of 1 to 1,024 characters' })
      .max(NAME_LENGTH_MAX, { error: 'must be a template of 1 to 1,024 characters' })
      .meta({
        description:
          'The new name. `$1` to `$9` stand for what the wildcards of the filter capture, in their order.',
        expects: 'a template',
      }),
  })
  .superRefine(({ filter, destination }, context) => {
    const captures = filter.split('/').filter((level) => level === '+' || level === '#').length;
    const fault = placeholderFault(destination, captures);
    if (fault !== undefined) {
      context.addIssue({ code: 'custom', path: ['destination'], message: fault });
    }
  });

/** An automatic subscription, as the file states it. */
export const autoSubscription = z
  .strictObject({
    filter: filterText(
      'What each client is subscribed to.',
      'a template of a topic filter',
    ).superRefine((filter, context) => {
      const fault = placeholderFault(filter, 0);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    }),
    qos: z
      .literal([0, 1, 2], { error: 'must be 0, 1 or 2' })
      .default(1)
      .meta({ description: 'Highest QoS of its messages.', expects: '0, 1 or 2' }),
    noLocal: flag('Whether messages of the client itself are left out.'),
    retainAsPublished: flag('Whether RETAIN is passed on as the publisher has set it.'),
    retainHandling: z.literal([0, 1, 2], { error: 'must be 0, 1 or 2' }).default(0).meta({
      description:
        'When retained messages are sent: 0 at every CONNECT, 1 when the subscription is new, 2 never.',
      expects: '0, 1 or 2',
    }),
  })
  .superRefine(({ filter, noLocal }, context) => {
    if (filter.startsWith('$exclusive/')) {
      const message = 'must not be exclusive: every client would ask for it';
      context.addIssue({ code: 'custom', path: ['filter'], message });
    }
    if (noLocal && filter.startsWith('$share/')) {
      const message = 'must be false for a shared subscription';
      context.addIssue({ code: 'custom', path: ['noLocal'], message });
    }
  });

/** The mountpoint of a listener: whole levels of text and placeholders. */
export const mountpoint = z
  .string()
  .max(NAME_LENGTH_MAX)
  .regex(/^(?!\$(?!\{))[^+#\0]*\/$/u)
  .refine((text) => placeholderFault(text, 0) === undefined)
  .exactOptional()
  .meta({
    description:
      'Put before the topics and filters of its clients, and taken off what they receive: they see nothing else, but for `$SYS`. See docs/topics.md.',
    expects:
      'levels that end with a slash, in which ${clientId}, ${username} and ${host} may stand',
  });
