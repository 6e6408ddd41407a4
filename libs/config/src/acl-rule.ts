import { z } from 'zod';
import { isNetwork } from './network.ts';

/** Levels of text, `+` or, as the last one, `#`. */
const FILTER = /^(?:(?:\+|[^+#\0/]*)\/)*(?:\+|#|[^+#\0/]*)$/u;
const PREFIX = /^\$(?:share|exclusive|delayed)\//u;
const PLACEHOLDER = /\$\{(?:clientid|clientId|username|cert\.cn)\}/gu;
const TOPIC_LENGTH_MAX = 1_024;
const NAME_LENGTH_MAX = 256;

const names = (description: string) =>
  z
    .array(z.string({ error: 'must be a text' }).min(1).max(NAME_LENGTH_MAX), {
      error: 'must be a list of texts',
    })
    .min(1, { error: 'must not be empty: leave it out for everybody' })
    .exactOptional()
    .meta({ description, expects: 'a list of texts of 1 to 256 characters' });

/** Why a text is no topic of a rule; undefined when it is one. */
function topicFault(text: string): string | undefined {
  if (text.length === 0 || text.length > TOPIC_LENGTH_MAX || !FILTER.test(text)) {
    return 'must be an MQTT topic filter of 1 to 1,024 characters';
  }
  if (PREFIX.test(text))
    return 'must be the topic itself, without $share/, $exclusive/ or $delayed/';
  return text.replace(PLACEHOLDER, '').includes('${')
    ? 'holds a placeholder other than ${clientid}, ${username} and ${cert.cn}'
    : undefined;
}

const topic = z.string({ error: 'must be an MQTT topic filter' }).superRefine((text, context) => {
  const message = topicFault(text);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

const what = {
  effect: z
    .enum(['allow', 'deny'], { error: 'must be allow or deny' })
    .meta({ description: 'What the rule says, if it is the first that fits.' }),
  actions: z
    .array(z.enum(['publish', 'subscribe'], { error: 'must be publish or subscribe' }), {
      error: 'must be a list of publish and subscribe',
    })
    .min(1, { error: 'must name publish, subscribe or both' })
    .default(['publish', 'subscribe'])
    .meta({
      description: 'What it is for. Whoever may subscribe to a topic may receive it.',
      expects: 'a list of publish and subscribe',
    }),
  topics: z
    .array(topic, { error: 'must be a list of MQTT topic filters' })
    .min(1, { error: 'must have a topic' })
    .max(1_000, { error: 'must have at most 1,000 topics' })
    .meta({
      description:
        'Topic filters, as the broker names topics, in which `${clientid}`, `${username}` and `${cert.cn}` may stand.',
      expects: 'a list of MQTT topic filters',
    }),
  qos: z
    .array(z.literal([0, 1, 2], { error: 'must be 0, 1 or 2' }), {
      error: 'must be a list of 0, 1 and 2',
    })
    .min(1, { error: 'must not be empty: leave it out for any QoS' })
    .exactOptional()
    .meta({
      description: 'QoS of the PUBLISH, of the SUBSCRIBE or of the delivery. Absent: any.',
      expects: 'a list of 0, 1 and 2',
    }),
  retain: z.boolean({ error: 'must be true or false' }).exactOptional().meta({
    description: 'RETAIN flag of the PUBLISH, for rules with `actions: [publish]`. Absent: any.',
  }),
  id: z.string().min(1).max(NAME_LENGTH_MAX).exactOptional().meta({
    description: 'Name of the rule where somebody asks which one has decided.',
    expects: 'a text of 1 to 256 characters',
  }),
};

const checkRetain = (
  rule: { readonly actions: readonly string[]; readonly retain?: boolean },
  context: z.core.$RefinementCtx,
): void => {
  if (rule.retain === undefined || !rule.actions.includes('subscribe')) return;
  const message = 'needs `actions: [publish]`: a SUBSCRIBE has no RETAIN flag';
  context.addIssue({ code: 'custom', path: ['retain'], message });
};

/** A rule of a user, as the file states it. */
export const userRule = z
  .strictObject(what, { error: 'must be a map with effect and topics' })
  .superRefine(checkRetain);

/** A general rule, as the file states it. */
export const aclRule = z
  .strictObject(
    {
      ...what,
      who: z
        .strictObject(
          {
            users: names('User names; they may be typed in any Unicode form.'),
            clientIds: names('Client ids.'),
            groups: names('Groups of users; one of them is enough.'),
            addresses: z
              .array(
                z.string({ error: 'must be an address or a network' }).refine(isNetwork, {
                  error: 'must be an address or a network such as 10.0.0.0/8 or 2001:db8::/32',
                }),
                { error: 'must be a list of addresses and networks' },
              )
              .min(1, { error: 'must not be empty: leave it out for all addresses' })
              .exactOptional()
              .meta({
                description: 'Addresses and networks that clients connect from.',
                expects: 'a list of addresses and networks',
              }),
          },
          { error: 'must be a map with users, clientIds, groups or addresses' },
        )
        .exactOptional()
        .meta({
          description: 'Clients it is for: each list that is there has to name them. Absent: all.',
          expects: 'a map with users, clientIds, groups or addresses',
        }),
    },
    { error: 'must be a map with effect and topics' },
  )
  .superRefine(checkRetain);

/** A rule of a user, checked. */
export interface UserRule {
  readonly effect: 'allow' | 'deny';
  readonly actions: readonly ('publish' | 'subscribe')[];
  readonly topics: readonly string[];
  readonly qos?: readonly (0 | 1 | 2)[];
  readonly retain?: boolean;
  readonly id?: string;
}

const RULES_MAX = 1_000;
const userRules = z
  .array(userRule, { error: 'must be a list of rules' })
  .max(RULES_MAX, { error: `must have at most ${RULES_MAX.toLocaleString('en')} rules` });

/** Checks rules that come from elsewhere as those of a user are; a text says what is wrong, and repeats no value. */
export function parseUserRules(value: unknown): readonly UserRule[] | string {
  const parsed = userRules.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return `${(issue?.path ?? []).map(String).join('.')} ${issue?.message ?? ''}`.trim();
}
